//! URLs as they are shown to people: without user, password and query, where tokens are put.

/// A URL or template without what stands before the `@` of its host, and without its query and fragment but for a template's
/// expressions, so that one still sees where the address goes.
pub fn masked(url: &str) -> String {
    let host = url.find("://").map_or(0, |scheme| scheme + 3);
    let end = url[host..].find(['/', '?', '#']);
    let end = end.map_or(url.len(), |end| host + end);
    let mut shown = match url[host..end].rfind('@') {
        Some(at) => format!("{}***{}", &url[..host], &url[host + at..end]),
        None => url[..end].to_owned(),
    };
    let query = url[end..].find(['?', '#']);
    let query = query.map_or(url.len(), |at| end + at + 1);
    shown.push_str(&url[end..query]);
    let mut rest = &url[query..];
    // `{?address}` begins a query inside of an expression.
    let mut inside = shown.rfind('{') > shown.rfind('}');
    while !rest.is_empty() {
        let end = match inside {
            true => rest.find('}').map(|end| end + 1),
            false => Some(rest.find('{').unwrap_or(rest.len())),
        };
        match end {
            Some(end) if inside => shown.push_str(&rest[..end]),
            Some(0) => {}
            _ => shown.push_str("***"),
        }
        rest = &rest[end.unwrap_or(rest.len())..];
        inside = !inside;
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_a_secret_is_masked_and_what_a_person_needs_is_not() {
        for (url, shown) in [
            (
                "https://a.example/e/{address}",
                "https://a.example/e/{address}",
            ),
            (
                "https://me:secret@a.example/@/{address}",
                "https://***@a.example/@/{address}",
            ),
            (
                "https://a.example:8443/api?token=secret",
                "https://a.example:8443/api?***",
            ),
            (
                "https://me:secret@a.example?secret",
                "https://***@a.example?***",
            ),
            (
                "https://a.example/s?token=secret&a={address}&b=secret",
                "https://a.example/s?***{address}***",
            ),
            (
                "https://a.example/s?secret{&address}",
                "https://a.example/s?***{&address}",
            ),
            (
                "https://a.example/s{?address}&secret",
                "https://a.example/s{?address}***",
            ),
            (
                "https://a.example/{address}#secret",
                "https://a.example/{address}#***",
            ),
            ("https://a.example/s?{secret", "https://a.example/s?***"),
            (
                "https://a.example/s?{address}",
                "https://a.example/s?{address}",
            ),
            ("no URL", "no URL"),
            ("", ""),
        ] {
            assert_eq!(masked(url), shown);
        }
    }
}
