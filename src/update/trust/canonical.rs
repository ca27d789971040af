//! The one form of a JSON value that is signed and hashed: OLPC canonical JSON.

use super::json::Json;

impl Json {
    /// No white space, names in order, and in texts only `"` and `\` written with a backslash.
    pub fn canonical(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.append_to(&mut bytes);
        bytes
    }

    fn append_to(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Null => bytes.extend(b"null"),
            Self::Flag(true) => bytes.extend(b"true"),
            Self::Flag(false) => bytes.extend(b"false"),
            Self::Number(number) => bytes.extend(number.to_string().bytes()),
            Self::Text(text) => append_text(text, bytes),
            Self::List(items) => {
                bytes.push(b'[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        bytes.push(b',');
                    }
                    item.append_to(bytes);
                }
                bytes.push(b']');
            }
            // A `BTreeMap` goes by UTF-8's order, which is that of code points, as it has to be.
            Self::Object(fields) => {
                bytes.push(b'{');
                for (at, (name, value)) in fields.iter().enumerate() {
                    if at > 0 {
                        bytes.push(b',');
                    }
                    append_text(name, bytes);
                    bytes.push(b':');
                    value.append_to(bytes);
                }
                bytes.push(b'}');
            }
        }
    }
}

fn append_text(text: &str, bytes: &mut Vec<u8>) {
    bytes.push(b'"');
    for b in text.bytes() {
        if matches!(b, b'"' | b'\\') {
            bytes.push(b'\\');
        }
        bytes.push(b);
    }
    bytes.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_canonical_form_has_one_order_and_escapes_two_characters_only() {
        let text = r#" { "b" : [ 1 , -2, true , null ], "a\u00e9" : "q\"\\\n\u0001/" , "a": {} } "#;
        let canonical = Json::decode(text.as_bytes()).unwrap().canonical();
        let expected = "{\"a\":{},\"aé\":\"q\\\"\\\\\n\u{1}/\",\"b\":[1,-2,true,null]}";
        assert_eq!(String::from_utf8(canonical).unwrap(), expected);
    }
}
