//! The fields of a form, as a browser sends them: `application/x-www-form-urlencoded`.

use percent_encoding::percent_decode;
use ports::Secret;
use zeroize::Zeroizing;

/// The fields of a form. Any of them may be a secret.
pub struct Form(Vec<(Vec<u8>, Secret)>);

impl Form {
    /// Reads the body of a request.
    pub fn read(body: &[u8]) -> Self {
        let pairs = body
            .split(|byte| *byte == b'&')
            .filter(|pair| !pair.is_empty());
        let fields = pairs.map(|pair| {
            let mut parts = pair.splitn(2, |byte| *byte == b'=');
            let mut part = || decoded(parts.next().unwrap_or_default());
            (part(), Secret::new(part()))
        });
        Self(fields.collect())
    }

    /// The first field of this name; empty where there is none.
    pub fn field(&self, name: &str) -> Secret {
        let mut fields = self.0.iter();
        let found = fields.find(|(field, _)| field == name.as_bytes());
        found.map_or_else(|| Secret::new(Vec::new()), |(_, value)| value.clone())
    }

    /// The same of a field that is no secret.
    pub fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(self.field(name).expose()).into_owned()
    }

    /// Whether a box is ticked.
    pub fn is_ticked(&self, name: &str) -> bool {
        self.0.iter().any(|(field, _)| field == name.as_bytes())
    }
}

fn decoded(encoded: &[u8]) -> Vec<u8> {
    let spaced = encoded
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte });
    let spaced: Zeroizing<Vec<u8>> = Zeroizing::new(spaced.collect());
    let mut decoded = Vec::with_capacity(spaced.len());
    decoded.extend(percent_decode(&spaced));
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_decoded() {
        let form = Form::read(b"a=1+2%2B3&&b=%C3%A4%00&box=on&c&a=second");
        assert_eq!(form.text("a"), "1 2+3");
        assert_eq!(form.field("b").expose(), "ä\0".as_bytes());
        assert_eq!(form.text("c"), "");
        assert_eq!(form.text("d"), "");
        assert!(form.is_ticked("box") && form.is_ticked("c") && !form.is_ticked("d"));
    }

    #[test]
    fn what_is_no_encoding_stays_as_it_is() {
        assert_eq!(Form::read(b"a=100%&b=%zz%4").text("b"), "%zz%4");
        assert_eq!(Form::read(b"=x").text(""), "x");
    }
}
