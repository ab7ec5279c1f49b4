// What is wrong with the page that is shown, as a list; null while it is not loaded.
if (document.readyState !== "complete") return null;
const faults = [];
const say = (what, element) => faults.push(`${what}: ${element.outerHTML.slice(0, 160)}`);
const all = (selector) => [...document.querySelectorAll(selector)];
const words = (element) => (element?.textContent ?? "").trim();
// What is folded has to be as good.
const folded = all("details:not([open])");
for (const details of folded) details.open = true;

if (all("h1").length !== 1) faults.push(`${all("h1").length} h1`);
if (!words(document.querySelector("title"))) faults.push("no title");
if (document.documentElement.lang !== LANGUAGE) faults.push("another language");
for (const element of all("script, [style], style")) say("script or inline style", element);
const main = document.querySelector("main");
if (getComputedStyle(main).boxSizing !== "border-box") faults.push("no style sheet");
for (const image of all("img")) {
  if (!image.hasAttribute("alt")) say("no alt", image);
  if (!image.naturalWidth) say("not loaded", image);
}

const ids = all("[id]").map((element) => element.id);
for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push(`id twice: ${id}`);
const described = new Set();
for (const element of all("[aria-describedby]")) {
  for (const id of element.getAttribute("aria-describedby").split(" ")) {
    described.add(id);
    if (!words(document.getElementById(id))) say(`nothing to describe it (${id})`, element);
  }
}
for (const problem of all(".wrong")) {
  if (!described.has(problem.id)) say("tied to no field", problem);
}
for (const field of all("input:not([type=hidden]), textarea, select")) {
  if (![...field.labels].some(words)) say("no label", field);
  if (field.type === "radio" && !words(field.closest("fieldset")?.querySelector("legend"))) {
    say("no legend", field);
  }
  const ties = (field.getAttribute("aria-describedby") ?? "").split(" ");
  const isTold = ties.some((id) => document.getElementById(id)?.matches(".wrong"));
  if (field.getAttribute("aria-invalid") === "true" && !isTold) say("wrong, and not told", field);
}
for (const step of all(".steps li")) if (!words(step.querySelector("strong"))) say("no words", step);
for (const button of all("button, a")) if (!words(button)) say("no name", button);

const { scrollWidth } = document.documentElement;
if (scrollWidth > innerWidth) faults.push(`${scrollWidth} wide in a window of ${innerWidth}`);

// Contrast as WCAG 2 has it (1.4.3 for text, 1.4.11 for the edge of a field).
const colour = (text) => text.match(/[\d.]+/g).map(Number);
const luminance = ([r, g, b]) => {
  const [x, y, z] = [r, g, b].map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * x + 0.7152 * y + 0.0722 * z;
};
const behind = (element) => {
  for (let each = element; each; each = each.parentElement) {
    const [r, g, b, alpha = 1] = colour(getComputedStyle(each).backgroundColor);
    if (alpha === 1) return [r, g, b];
    if (alpha !== 0) say("half transparent", each);
  }
  return [255, 255, 255];
};
const contrast = (one, other) => {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
};
const fields = all("input[type=text], input[type=password], textarea");
const texts = all("body *").filter((element) =>
  [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim()));
for (const element of [...texts, ...fields]) {
  const ratio = contrast(colour(getComputedStyle(element).color), behind(element));
  if (ratio < 4.5) say(`contrast ${ratio.toFixed(2)}`, element);
}
for (const field of fields) {
  const edge = colour(getComputedStyle(field).borderTopColor);
  const ratio = contrast(edge, behind(field.parentElement));
  if (ratio < 3) say(`edge ${ratio.toFixed(2)}`, field);
  const isWrong = field.getAttribute("aria-invalid") === "true";
  const wrong = document.querySelector(".wrong");
  if (isWrong && wrong && getComputedStyle(wrong).color !== getComputedStyle(field).borderTopColor) {
    say("wrong, and not marked", field);
  }
}
const focused = document.activeElement;
if (focused !== document.body) {
  const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(focused);
  if (outlineStyle !== "solid" || parseFloat(outlineWidth) < 2) say("focus does not show", focused);
  const ratio = contrast(colour(outlineColor), behind(focused.parentElement));
  if (ratio < 3) say(`focus ${ratio.toFixed(2)}`, focused);
}
for (const details of folded) details.open = false;
return faults;
