//! Taking secrets out of a text. Pure.
//!
//! Nothing of ours logs a secret on purpose. This is for the line that somebody adds without
//! thinking of it: whatever looks like one of our tokens, or is named like a secret, goes.

/// Digits of one of our tokens ([`crate::domain::Token`]).
const TOKEN_DIGITS: usize = 32;
/// What stands there instead.
const GONE: &str = "[removed]";
/// Up to where a secret goes that is named.
#[derive(Clone, Copy)]
enum End {
    /// As a word, or as a part of an address.
    Word,
    /// As a text in JSON.
    Quote,
    /// As the line of a protocol.
    Line,
}

/// Names of secrets, with what stands between name and secret.
const NAMES: [(&str, End); 8] = [
    ("password=", End::Word),
    ("token=", End::Word),
    ("ticket=", End::Word),
    ("ak=", End::Word),
    ("password\":\"", End::Quote),
    ("token\":\"", End::Quote),
    ("cookie: ", End::Line),
    ("authorization: ", End::Line),
];

impl End {
    fn is(self, char: char) -> bool {
        match self {
            Self::Word => char.is_whitespace() || "\"'&,;".contains(char),
            Self::Quote => matches!(char, '"' | '\n'),
            Self::Line => matches!(char, '\n'),
        }
    }
}

/// `text` without what looks like a secret.
pub(super) fn redacted(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut in_key = false;
    for line in text.split_inclusive('\n') {
        if line.contains("-----BEGIN") && line.contains("PRIVATE KEY") {
            in_key = true;
            kept.push_str(GONE);
            kept.push('\n');
        }
        if !in_key {
            kept.push_str(&without_tokens(&without_named(line)));
        }
        if line.contains("-----END") {
            in_key = false;
        }
    }
    kept
}

fn without_named(line: &str) -> String {
    // Only ASCII letters change, so places are the same in both.
    let lower = line.to_ascii_lowercase();
    let mut kept = String::with_capacity(line.len());
    let mut at = 0;
    loop {
        let next = NAMES
            .iter()
            .filter_map(|(name, end)| Some((lower[at..].find(name)? + at + name.len(), end)))
            .min_by_key(|(start, _)| *start);
        let Some((start, end)) = next else {
            kept.push_str(&line[at..]);
            return kept;
        };
        let length = line[start..]
            .find(|c| end.is(c))
            .unwrap_or(line.len() - start);
        kept.push_str(&line[at..start]);
        if length > 0 {
            kept.push_str(GONE);
        }
        at = start + length;
    }
}

/// Runs of exactly as many hexadecimal digits as a token has; a fingerprint has more and is public.
fn without_tokens(line: &str) -> String {
    let mut kept = String::with_capacity(line.len());
    let mut run = String::new();
    let end_run = |run: &mut String, kept: &mut String| {
        if run.len() == TOKEN_DIGITS {
            kept.push_str(GONE);
        } else {
            kept.push_str(run);
        }
        run.clear();
    };
    for char in line.chars() {
        if char.is_ascii_hexdigit() {
            run.push(char);
        } else {
            end_run(&mut run, &mut kept);
            kept.push(char);
        }
    }
    end_run(&mut run, &mut kept);
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tokens_and_what_is_named_like_a_secret_are_gone() {
        let token = "0123456789abcdef0123456789abcdef";
        let print = "ab".repeat(32);
        let text = format!(
            "set-up link https://x/login/setup?token={token} works once\n\
             {{\"event\":\"x\",\"password\":\"hunter 2\",\"n\":1}}\n\
             Cookie: session=1\ntaken {token}.\ncertificate {print}\n\
             ?ak=abc&x=1 token= nothing\n"
        );
        let after = redacted(&text);
        assert!(!after.contains(token), "{after}");
        assert!(
            !after.contains("hunter") && !after.contains(" 2\""),
            "{after}"
        );
        assert!(!after.contains("session=1"), "{after}");
        assert!(!after.contains("abc&"), "{after}");
        assert!(after.contains(&print), "{after}");
        assert!(
            after.contains("works once") && after.contains("\"n\":1"),
            "{after}"
        );
        assert_eq!(after.lines().count(), text.lines().count());
    }

    #[test]
    fn a_private_key_is_gone_whole() {
        let text = "a\n-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\nb\n";
        assert_eq!(redacted(text), "a\n[removed]\nb\n");
        assert_eq!(
            redacted("-----BEGIN EC PRIVATE KEY-----\nMIIE"),
            "[removed]\n"
        );
    }

    proptest! {
        #[test]
        fn no_token_survives(before in "[a-z ?=/]{0,20}", token in "[0-9a-f]{32}", after in "[g-z .]{0,9}") {
            let text = format!("{before} {token} {after}");
            prop_assert!(!redacted(&text).contains(&token));
        }

        #[test]
        fn any_text_is_taken(text: String) {
            redacted(&text);
        }
    }
}
