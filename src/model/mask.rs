//! How personal data looks wherever people may see it by chance: lists, logs, files.
//!
//! The idea: enough stays to tell two entries apart (`010-****-0001`), never enough to reach a person. Text that has
//! none of the expected shapes is hidden as a whole.

/// A phone number with its middle hidden: `010-****-0001`; hidden altogether where it has fewer than 9 digits.
pub fn mask_phone(phone: &str) -> String {
    let digits: Vec<char> = phone.chars().filter(char::is_ascii_digit).collect();
    if digits.len() < 9 {
        return "****".to_owned();
    }
    let head: String = digits.iter().take(3).collect();
    let tail: String = digits.iter().skip(digits.len() - 4).collect();
    format!("{head}-****-{tail}")
}

/// An e-mail address with its first letter and its domain: `d***@example.test`.
pub fn mask_email(email: &str) -> String {
    match email.split_once('@') {
        Some((local, domain)) => {
            let first: String = local.chars().take(1).collect();
            format!("{first}***@{domain}")
        }
        None => "****".to_owned(),
    }
}

/// A personal name with its first and last letter: `가*인`; of two letters the second is hidden.
pub fn mask_name(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    match letters.as_slice() {
        [] | [_] => "*".to_owned(),
        [first, _] => format!("{first}*"),
        [first, middle @ .., last] => format!("{first}{}{last}", "*".repeat(middle.len())),
    }
}

/// How many bytes a mobile carrier counts for `text`: one for ASCII, two for all else, and two for a line feed, which
/// travels as CR LF. Whether every character can be sent at all is not asked here.
pub fn carrier_bytes(text: &str) -> usize {
    text.chars().map(|c| if c.is_ascii() && c != '\n' { 1 } else { 2 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_personal_is_left_whole() {
        assert_eq!(mask_phone("010-0000-0001"), "010-****-0001");
        assert_eq!(mask_phone("01000000001"), "010-****-0001");
        assert_eq!(mask_phone("12"), "****");
        assert_eq!(mask_email("duty@example.test"), "d***@example.test");
        assert_eq!(mask_email("duty"), "****");
        assert_eq!((mask_name("가상인"), mask_name("가상"), mask_name("")), ("가*인".into(), "가*".into(), "*".into()));
    }

    #[test]
    fn bytes_are_counted_as_carriers_do() {
        assert_eq!(carrier_bytes("[훈련] a\nb"), 11);
    }
}
