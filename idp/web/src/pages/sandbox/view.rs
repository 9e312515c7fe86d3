//! What the console's templates take.

use askama::Template;

use crate::pages::shell::Shell;

/// The form of a registration, as it was filled in.
#[derive(Default)]
pub(super) struct RegisterView {
    pub(super) name: String,
    pub(super) redirect: String,
    pub(super) policy: String,
    pub(super) method: String,
    pub(super) jwk: String,
    pub(super) methods: Vec<&'static str>,
    pub(super) policies: Vec<&'static str>,
}

pub(super) struct ClientLink {
    pub(super) name: String,
    pub(super) href: String,
    pub(super) id: String,
}

pub(super) struct PersonView {
    pub(super) name: String,
    pub(super) phone: String,
    pub(super) number: String,
    pub(super) password: String,
    pub(super) proofing: u8,
}

/// The first page.
#[derive(Template)]
#[template(path = "sandbox.html")]
pub(super) struct HomePage {
    pub(super) shell: Shell,
    pub(super) lead: String,
    pub(super) fault: Option<String>,
    pub(super) form: RegisterView,
    pub(super) clients: Vec<ClientLink>,
    pub(super) people: Vec<PersonView>,
}

pub(super) struct LineView {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) about: String,
}

pub(super) struct TokenView {
    pub(super) name: String,
    pub(super) header: String,
    pub(super) claims: String,
    pub(super) good: bool,
    pub(super) state: String,
}

pub(super) struct EventView {
    pub(super) datetime: String,
    pub(super) time: String,
    pub(super) title: String,
    pub(super) kind: &'static str,
    pub(super) request: String,
    pub(super) status: u16,
    pub(super) failed: bool,
    pub(super) sent: Vec<LineView>,
    pub(super) answered: Vec<LineView>,
    pub(super) tokens: Vec<TokenView>,
    pub(super) cause: Option<String>,
}

pub(super) struct FileView {
    pub(super) name: &'static str,
    pub(super) text: String,
}

/// A page of docs/partners for this client: commands are a line each.
pub(super) struct ProgramView {
    pub(super) key: &'static str,
    pub(super) name: &'static str,
    pub(super) install: String,
    pub(super) files: Vec<FileView>,
    pub(super) start: String,
}

/// A client.
#[derive(Template)]
#[template(path = "sandbox_client.html")]
pub(super) struct ClientPage {
    pub(super) shell: Shell,
    pub(super) name: String,
    pub(super) settings: Vec<(&'static str, String)>,
    /// The same for a shell.
    pub(super) environment: String,
    /// None if they do not come as this client has to.
    pub(super) programs: Option<Vec<ProgramView>>,
    /// None if they answer at its redirect URI: the one at which they do.
    pub(super) elsewhere: Option<&'static str>,
    /// None: it has none. Empty: it was shown before.
    pub(super) secret: Option<String>,
    pub(super) can_try: bool,
    pub(super) scope: String,
    pub(super) home: String,
    /// Newest first.
    pub(super) events: Vec<EventView>,
}
