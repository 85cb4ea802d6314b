//! Paths of folders: names with slashes between them; a backslash makes the next character one of the name.

/// The names of a path, the outermost first. Empty ones do not count: "/a//b/" is "a/b".
pub(crate) fn split(path: &str) -> Vec<String> {
    let mut names = vec![String::new()];
    let mut rest = path.chars();
    while let Some(c) = rest.next() {
        match c {
            '/' => names.push(String::new()),
            '\\' => {
                let c = rest.next().unwrap_or('\\');
                names.last_mut().into_iter().for_each(|name| name.push(c));
            }
            c => names.last_mut().into_iter().for_each(|name| name.push(c)),
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

/// The path of a folder with this name below that path.
pub(crate) fn join(parent: &str, name: &str) -> String {
    let mut path = parent.to_owned();
    if !path.is_empty() {
        path.push('/');
    }
    for c in name.chars() {
        if matches!(c, '/' | '\\') {
            path.push('\\');
        }
        path.push(c);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_goes_through_a_path() {
        for names in [vec!["a"], vec!["Archive", "2004"], vec!["a/b", "c\\d", "\\", "/"], vec!["Grüße", " "]]
        {
            let path = names.iter().fold(String::new(), |path, name| join(&path, name));
            assert_eq!(split(&path), names, "{path}");
        }
        assert_eq!(split("/a//b/"), ["a", "b"]);
        assert!(split("").is_empty() && split("//").is_empty());
        assert_eq!(split("a\\"), ["a\\"]);
    }
}
