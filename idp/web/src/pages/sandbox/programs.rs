//! The programs of docs/partners, filled in for a client: the text is the pages' own, which
//! tests/stock installs and signs in through.

use idp_protocol::client::{AuthMethod, Client, Policy};
use url::Url;

use super::view::{FileView, ProgramView};

/// Where the pages have a program answer.
pub(super) const PLACE: &str = "http://localhost:3000/callback";

/// A page, and how its language says things.
struct Page {
    key: &'static str,
    name: &'static str,
    text: &'static str,
    /// How the page's commands begin: before the files are written, and after.
    install: &'static [&'static str],
    start: &'static [&'static str],
    /// What stands around the name of a setting that is read from the environment.
    reads: (&'static str, &'static str),
    /// What stands around a text of the program's own.
    writes: (&'static str, &'static str),
}

const PAGES: [Page; 5] = [
    Page {
        key: "node",
        name: "Node",
        text: include_str!("../../../../../docs/partners/node.md"),
        install: &["npm i "],
        start: &["node "],
        reads: ("process.env.", ""),
        writes: ("'", "'"),
    },
    Page {
        key: "python",
        name: "Python",
        text: include_str!("../../../../../docs/partners/python.md"),
        install: &["pip install "],
        start: &["python "],
        reads: ("os.environ[\"", "\"]"),
        writes: ("\"", "\""),
    },
    Page {
        key: "java",
        name: "Java",
        text: include_str!("../../../../../docs/partners/java.md"),
        install: &[],
        start: &["mvn ", "java "],
        reads: ("${", "}"),
        writes: ("", ""),
    },
    Page {
        key: "go",
        name: "Go",
        text: include_str!("../../../../../docs/partners/go.md"),
        install: &["go mod init ", "go get "],
        start: &["go run "],
        reads: ("os.Getenv(\"", "\")"),
        writes: ("\"", "\""),
    },
    Page {
        key: "rust",
        name: "Rust",
        text: include_str!("../../../../../docs/partners/rust.md"),
        install: &[],
        start: &["cargo run"],
        reads: ("var(\"", "\")?"),
        writes: ("\"", "\".to_owned()"),
    },
];

impl Page {
    /// The files that the page has its reader write: the name that ends the line before a block of
    /// code, and the block.
    fn files(&self) -> Vec<(&'static str, String)> {
        let (mut found, mut title, mut lines) = (Vec::new(), "", self.text.lines());
        while let Some(line) = lines.next() {
            if line.starts_with("```") {
                let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
                let name = title.strip_suffix("`:").and_then(|title| title.rsplit('`').next());
                found.extend(name.map(|name| (name, block.join("\n"))));
            } else if !line.is_empty() {
                title = line;
            }
        }
        found
    }

    /// The page's commands that begin so, a line each.
    fn commands(&self, begins: &[&str]) -> String {
        let inline = || self.text.split('`').skip(1).step_by(2).filter(|code| !code.contains('\n'));
        let found = begins.iter().filter_map(|word| inline().find(|code| code.starts_with(word)));
        found.collect::<Vec<_>>().join("\n")
    }

    /// A setting as this client has it, where the program reads it from the environment.
    fn set(&self, text: &str, setting: &str, value: &str) -> String {
        let ((before, after), (open, close)) = (self.reads, self.writes);
        let (asked, told) = (format!("{before}{setting}{after}"), format!("{open}{value}{close}"));
        text.replace(&asked, &told)
    }
}

/// Whether the programs come as this client has to.
pub(super) fn fit(client: &Client) -> bool {
    client.policy == Policy::Openid
        && client.token_endpoint_auth_method == AuthMethod::ClientSecretBasic
}

/// Port and path of a redirect URI at which the programs can answer.
fn place(redirect_uri: &str) -> Option<(u16, String)> {
    let uri = Url::parse(redirect_uri).ok()?;
    let (port, path) = (uri.port()?, uri.path());
    // Nothing that a language or a router would read otherwise than as text.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.');
    let plain = path.len() > 1 && path.chars().all(plain);
    let same = redirect_uri == format!("http://localhost:{port}{path}");
    (plain && same).then(|| (port, path.to_owned()))
}

/// Whether the programs can answer at a redirect URI of this client's.
pub(super) fn answer(client: &Client) -> bool {
    client.redirect_uris.first().is_some_and(|uri| place(uri).is_some())
}

/// A file of a page's with what is known of a client.
fn fill(page: &Page, text: &str, redirect_uri: &str, client_id: &str, issuer: &str) -> String {
    // What is put in is not looked through again: an issuer may have the port 43000.
    let text = match place(redirect_uri) {
        Some((port, path)) => text.replace("3000", &port.to_string()).replace("/callback", &path),
        None => text.to_owned(),
    };
    page.set(&page.set(&text, "ISSUER", issuer), "CLIENT_ID", client_id)
}

/// The programs with what is known of this client; its secret stays out of them.
pub(super) fn filled(client: &Client, issuer: &str) -> Vec<ProgramView> {
    let uri = client.redirect_uris.first().map_or("", String::as_str);
    let file = |page: &Page, (name, text): (&'static str, String)| FileView {
        name,
        text: fill(page, &text, uri, &client.client_id, issuer),
    };
    let shown = |page: &Page| ProgramView {
        key: page.key,
        name: page.name,
        install: page.commands(page.install),
        files: page.files().into_iter().map(|found| file(page, found)).collect(),
        start: page.commands(page.start),
    };
    PAGES.iter().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_can_be_filled_in() {
        for page in &PAGES {
            let files: String = page.files().into_iter().map(|(_, text)| text).collect();
            let (before, after) = page.reads;
            for setting in ["ISSUER", "CLIENT_ID", "CLIENT_SECRET"] {
                let asked = format!("{before}{setting}{after}");
                assert_eq!(files.matches(&asked).count(), 1, "{}: {asked}", page.name);
            }
            assert!(files.contains("3000") && files.contains("/callback"), "{}", page.name);
            // Every command that is looked for stands there.
            let found = page.commands(page.install).lines().count();
            assert_eq!(found, page.install.len(), "{}", page.name);
            let found = page.commands(page.start).lines().count();
            assert_eq!(found, page.start.len(), "{}", page.name);
        }
    }

    #[test]
    fn what_is_put_in_stays_as_it_is() {
        let (uri, issuer) = ("http://localhost:8123/callback-3000", "http://localhost:43000");
        for page in &PAGES {
            let files: String = page
                .files()
                .iter()
                .map(|(_, text)| fill(page, text, uri, "c3000", issuer))
                .collect();
            for part in [issuer, "c3000", "8123", "/callback-3000"] {
                assert!(files.contains(part), "{}: {part}", page.name);
            }
            let rest = files.replace(issuer, "").replace("c3000", "").replace("k-3000", "");
            assert!(!rest.contains("3000"), "{}: {rest}", page.name);
            assert!(!files.contains("ISSUER") && !files.contains("CLIENT_ID"), "{}", page.name);
            assert!(files.contains("CLIENT_SECRET"), "{}", page.name);
        }
    }

    #[test]
    fn a_program_answers_at_plain_addresses_of_this_machine_only() {
        assert_eq!(place(PLACE), Some((3000, "/callback".to_owned())));
        assert_eq!(place("http://localhost:8123/a/b-c"), Some((8123, "/a/b-c".to_owned())));
        for other in [
            "https://partner.example/callback",
            "http://127.0.0.1:3000/callback",
            "https://localhost:3000/callback",
            "http://localhost/callback",
            "http://localhost:3000/",
            "http://localhost:3000/callback?a=b",
            "http://localhost:3000/a\"b",
            "http://localhost:3000/{a}",
            "http://localhost:3000/a/../callback",
        ] {
            assert_eq!(place(other), None, "{other}");
        }
    }
}
