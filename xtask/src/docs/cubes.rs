//! A function over a finite space, told in few rows: each row a set of values per dimension.

use std::collections::BTreeSet;

/// One dimension of the space.
pub struct Dimension {
    /// The column's heading.
    pub title: &'static str,
    /// Its values, in the order in which they are shown.
    pub values: Vec<String>,
}

impl Dimension {
    pub fn new(title: &'static str, values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            title,
            values: values.into_iter().map(Into::into).collect(),
        }
    }

    /// The set in words; nothing where every value is in it.
    pub fn show(&self, set: &BTreeSet<String>) -> String {
        if set.len() == self.values.len() {
            return String::new();
        }
        let shown: Vec<&str> = self
            .values
            .iter()
            .filter(|value| set.contains(*value))
            .map(String::as_str)
            .collect();
        shown.join(", ")
    }
}

/// All points of a block (one set of values per dimension) have this result.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Row {
    pub sets: Vec<BTreeSet<String>>,
    pub result: String,
}

impl Row {
    /// One point.
    pub fn point(values: impl IntoIterator<Item = impl Into<String>>, result: String) -> Self {
        Self {
            sets: values
                .into_iter()
                .map(|value| BTreeSet::from([value.into()]))
                .collect(),
            result,
        }
    }
}

/// Joins blocks that have one result and differ in one dimension alone, until none are left. No
/// point gets another result by this, and none is lost.
pub fn merge(mut rows: Vec<Row>, dimensions: usize) -> Vec<Row> {
    loop {
        let before = rows.len();
        for dimension in (0..dimensions).rev() {
            rows = merge_along(rows, dimension);
        }
        if rows.len() == before {
            return rows;
        }
    }
}

fn merge_along(rows: Vec<Row>, dimension: usize) -> Vec<Row> {
    let mut merged: Vec<Row> = Vec::new();
    for row in rows {
        let twin = merged.iter_mut().find(|other| {
            other.result == row.result
                && other
                    .sets
                    .iter()
                    .zip(&row.sets)
                    .enumerate()
                    .all(|(at, (a, b))| at == dimension || a == b)
        });
        match twin {
            Some(twin) => {
                for (into, from) in twin.sets.iter_mut().zip(row.sets).skip(dimension).take(1) {
                    into.extend(from);
                }
            }
            None => merged.push(row),
        }
    }
    merged
}

/// The rows as a Markdown table, ordered by `order` of the result.
pub fn table(
    dimensions: &[Dimension],
    result: &str,
    mut rows: Vec<Row>,
    order: impl Fn(&str) -> usize,
) -> String {
    rows.sort_by_key(|row| order(&row.result));
    let titles: Vec<&str> = dimensions
        .iter()
        .map(|dimension| dimension.title)
        .chain([result])
        .collect();
    let mut text = format!("| {} |\n", titles.join(" | "));
    text.push_str(&format!("|{}\n", " --- |".repeat(titles.len())));
    for row in rows {
        for (dimension, set) in dimensions.iter().zip(&row.sets) {
            let shown = dimension.show(set);
            text.push_str(if shown.is_empty() { "|" } else { "| " });
            text.push_str(&shown);
            text.push(' ');
        }
        text.push_str(&format!("| {} |\n", row.result));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(result: impl Fn(u8, u8) -> &'static str) -> Vec<Row> {
        let mut rows = Vec::new();
        for a in 0..3 {
            for b in 0..3 {
                rows.push(Row::point(
                    [a.to_string(), b.to_string()],
                    result(a, b).to_owned(),
                ));
            }
        }
        rows
    }

    #[test]
    fn what_does_not_matter_is_left_open() {
        let rows = merge(space(|a, _| if a == 1 { "one" } else { "other" }), 2);
        let dimensions = ["a", "b"].map(|title| Dimension::new(title, ["0", "1", "2"]));
        assert_eq!(
            table(&dimensions, "then", rows, |result| result.len()),
            "| a | b | then |\n| --- | --- | --- |\n| 1 | | one |\n| 0, 2 | | other |\n"
        );
    }

    #[test]
    fn every_point_keeps_its_result_and_is_in_one_row() {
        let result = |a: u8, b: u8| if a == b || a == 2 { "x" } else { "y" };
        let rows = merge(space(result), 2);
        for a in 0..3 {
            for b in 0..3 {
                let of: Vec<_> = rows
                    .iter()
                    .filter(|row| {
                        row.sets[0].contains(&a.to_string()) && row.sets[1].contains(&b.to_string())
                    })
                    .collect();
                assert_eq!(of.len(), 1, "{a} {b}");
                assert_eq!(of[0].result, result(a, b));
            }
        }
    }
}
