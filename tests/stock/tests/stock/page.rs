//! A page of docs/partners as its reader has it: files to write, commands to type.

use crate::play::root;
use crate::site::Place;

/// A page.
pub(crate) struct Page {
    name: String,
    text: String,
}

impl Page {
    /// The one of a name.
    pub(crate) fn of(name: &str) -> Self {
        let path = root().join("docs/partners").join(name);
        Self { name: name.to_owned(), text: std::fs::read_to_string(path).unwrap() }
    }

    /// The files that the page has its reader write: the name that ends the line before a block of
    /// code, and the block.
    pub(crate) fn files(&self) -> Vec<(String, String)> {
        let (mut found, mut title, mut lines) = (Vec::new(), "", self.text.lines());
        while let Some(line) = lines.next() {
            if line.starts_with("```") {
                let block = lines.by_ref().take_while(|line| *line != "```");
                let block: String = block.flat_map(|line| [line, "\n"]).collect();
                let name = title.strip_suffix("`:").and_then(|title| title.rsplit('`').next());
                found.extend(name.map(|name| (name.to_owned(), block)));
            } else if !line.is_empty() {
                title = line;
            }
        }
        found
    }

    /// The block of code that begins so.
    pub(crate) fn block(&self, begins: &str) -> String {
        let found = self.text.split("\n```").find_map(|part| {
            let (_, code) = part.split_once('\n')?;
            code.starts_with(begins).then(|| code.to_owned())
        });
        found.unwrap_or_else(|| panic!("{} has no block `{begins}…`", self.name))
    }

    /// Writes the files, for another port than the page's 3000.
    pub(crate) fn write(&self, place: &Place) {
        let mut named = 0;
        for (name, text) in self.files() {
            named += text.matches("3000").count();
            place.write(&name, &text.replace("3000", &place.port.to_string()));
        }
        assert!(named > 0, "{} names no port", self.name);
    }

    /// The command between backticks that begins so, in words.
    pub(crate) fn command(&self, begins: &str) -> Vec<String> {
        let mut inline = self.text.split('`').skip(1).step_by(2);
        let found = inline.find(|code| code.starts_with(begins) && !code.contains('\n'));
        let found = found.unwrap_or_else(|| panic!("{} has no `{begins}…`", self.name));
        found.split(' ').map(str::to_owned).collect()
    }

    /// The variable that the page names for the file of one's own authority.
    pub(crate) fn authority(&self) -> String {
        let mut inline = self.text.split('`').skip(1).step_by(2);
        let found = inline.find_map(|code| code.strip_suffix("=authority.pem"));
        found.unwrap_or_else(|| panic!("{} names no variable", self.name)).to_owned()
    }
}
