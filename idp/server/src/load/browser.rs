//! A person at a browser, as far as a load run needs one: cookies, redirects, and forms.

use reqwest::multipart;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Identity, Response};
use url::Url;

use super::places::here;

/// One person's browser; its cookies are its own.
pub(super) struct Browser {
    client: Client,
    /// Where the provider sends people back to: nobody listens there.
    home: Url,
}

/// What a page answered: where it was, its text, and the partner's address that it sent the
/// browser to, if it did.
pub(super) struct Page {
    pub(super) status: u16,
    pub(super) address: Url,
    pub(super) text: String,
    pub(super) outside: Option<Url>,
}

fn told(cause: impl std::fmt::Display) -> String {
    cause.to_string()
}

/// How connections are made.
#[derive(Debug, Clone, Default)]
pub struct Transport {
    /// Whom an https provider is trusted by, beside the usual authorities.
    pub authorities: Vec<Certificate>,
    /// What the driver shows of itself where it is asked for a certificate.
    pub identity: Option<Identity>,
}

impl Transport {
    /// A client, which follows nothing by itself.
    ///
    /// # Errors
    /// A sentence.
    pub fn client(&self, cookies: bool) -> Result<Client, String> {
        let timeout = std::time::Duration::from_secs(30);
        let mut builder =
            Client::builder().redirect(Policy::none()).cookie_store(cookies).timeout(timeout);
        for authority in &self.authorities {
            builder = builder.add_root_certificate(authority.clone());
        }
        if let Some(identity) = &self.identity {
            builder = builder.identity(identity.clone());
        }
        builder.build().map_err(told)
    }
}

impl Browser {
    pub(super) fn new(transport: &Transport, home: Url) -> Result<Self, String> {
        Ok(Self { client: transport.client(true)?, home })
    }

    pub(super) async fn get(&self, address: Url) -> Result<Page, String> {
        let answer = self.client.get(here(address)?).send().await.map_err(told)?;
        self.follow(answer).await
    }

    pub(super) async fn post(&self, to: Url, fields: &[(String, String)]) -> Result<Page, String> {
        let origin = to.origin().ascii_serialization();
        let request = self.client.post(here(to)?).header("origin", origin).form(fields);
        self.follow(request.send().await.map_err(told)?).await
    }

    pub(super) async fn upload(
        &self,
        to: Url,
        fields: impl Iterator<Item = (String, String)>,
    ) -> Result<Page, String> {
        let origin = to.origin().ascii_serialization();
        let form =
            fields.fold(multipart::Form::new(), |form, (name, value)| form.text(name, value));
        let request = self.client.post(here(to)?).header("origin", origin).multipart(form);
        self.follow(request.send().await.map_err(told)?).await
    }

    /// Follows redirects on this machine; the one that leads home is given back unfollowed.
    async fn follow(&self, mut answer: Response) -> Result<Page, String> {
        for _ in 0..12 {
            let (status, address) = (answer.status(), answer.url().clone());
            let location = answer.headers().get("location").and_then(|to| to.to_str().ok());
            let Some(to) = location.filter(|_| status.is_redirection()) else {
                let text = answer.text().await.map_err(told)?;
                return Ok(Page { status: status.as_u16(), address, text, outside: None });
            };
            let to = address.join(to).map_err(told)?;
            if to.origin() == self.home.origin() {
                let outside = Some(to);
                return Ok(Page { status: status.as_u16(), address, text: String::new(), outside });
            }
            answer = self.client.get(here(to)?).send().await.map_err(told)?;
        }
        Err("the pages send the browser around in a circle".to_owned())
    }
}

impl Page {
    /// The text of the form that holds a field.
    fn form(&self, field: &str) -> Option<&str> {
        let at = self.text.find(&format!("name=\"{field}\""))?;
        let form = self.text.get(self.text.get(..at)?.rfind("<form")?..)?;
        Some(form.split("</form").next().unwrap_or(form))
    }

    /// Whether a field stands on the page.
    pub(super) fn asks(&self, field: &str) -> bool {
        self.form(field).is_some()
    }

    /// The address of the form that holds a field.
    ///
    /// # Errors
    /// A sentence with the page's path and status, if there is none.
    pub(super) fn form_with(&self, field: &str) -> Result<Url, String> {
        let missing =
            || format!("{} answered {} without `{field}`", self.address.path(), self.status);
        let form = self.form(field).ok_or_else(missing)?;
        self.address.join(&attribute(form, "action").unwrap_or_default()).map_err(told)
    }

    /// Names and values of the hidden fields of the form that holds a field.
    pub(super) fn hidden_with(&self, field: &str) -> Vec<(String, String)> {
        let inputs = self.form(field).unwrap_or_default().split("<input").skip(1);
        let hidden = inputs.filter(|one| attribute(one, "type").as_deref() == Some("hidden"));
        let pairs = hidden.filter_map(|one| {
            Some((attribute(one, "name")?, attribute(one, "value").unwrap_or_default()))
        });
        pairs.collect()
    }

    /// The value of a hidden field.
    pub(super) fn hidden(&self, field: &str) -> Option<String> {
        let at = self.text.find(&format!("name=\"{field}\""))?;
        attribute(self.text.get(at..)?, "value")
    }
}

/// The value of an attribute of the tag that a text begins in.
fn attribute(text: &str, name: &str) -> Option<String> {
    let tag = text.split('>').next()?;
    let value = tag.split_once(&format!(" {name}=\""))?.1.split('"').next()?;
    Some(plain(value))
}

/// An attribute's text without its character references, as far as pages write them in addresses.
fn plain(value: &str) -> String {
    let named = value.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">");
    let mut parts = named.split("&#");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let read = part.split_once(';').and_then(|(code, rest)| {
            let code = match code.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => code.parse().ok()?,
            };
            Some((char::from_u32(code)?, rest))
        });
        match read {
            Some((letter, rest)) => {
                text.push(letter);
                text.push_str(rest);
            }
            None => {
                text.push_str("&#");
                text.push_str(part);
            }
        }
    }
    text.replace("&amp;", "&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_and_hidden_fields_of_our_pages_are_found() {
        let page = Page {
            status: 200,
            address: Url::parse("http://localhost:1/signin?flow=1").unwrap(),
            text:
                "<form action=\"/out\"></form><form class=\"a\" action=\"/signin?flow=1&amp;a=2\">\
                   <input type=\"hidden\" name=\"transaction\" value=\"t1\">\
                   <input name=\"identifier\" value=\"\"></form>"
                    .to_owned(),
            outside: None,
        };
        assert_eq!(
            page.form_with("identifier").unwrap().as_str(),
            "http://localhost:1/signin?flow=1&a=2"
        );
        assert_eq!(page.hidden("transaction").unwrap(), "t1");
        assert_eq!(page.hidden_with("identifier"), [("transaction".into(), "t1".into())]);
        assert!(page.asks("identifier") && !page.asks("nothing"));
        assert!(page.form_with("nothing").unwrap_err().contains("/signin answered 200"));
    }

    #[tokio::test]
    async fn nothing_is_sent_where_a_page_points_elsewhere() {
        let home = Url::parse("http://127.0.0.1:9/").unwrap();
        let browser = Browser::new(&Transport::default(), home).unwrap();
        let elsewhere = || Url::parse("http://elsewhere.invalid/in").unwrap();
        let answers = [
            browser.get(elsewhere()).await,
            browser.post(elsewhere(), &[]).await,
            browser.upload(elsewhere(), std::iter::empty()).await,
        ];
        for answer in answers {
            let cause = answer.err().unwrap_or_default();
            assert!(cause.contains("not on this machine"), "{cause}");
        }
    }

    #[test]
    fn character_references_of_other_peoples_pages_are_read() {
        for (written, meant) in [
            ("/a?b=1&amp;c=2", "/a?b=1&c=2"),
            ("/a?b=1&#38;c=&#x2F;", "/a?b=1&c=/"),
            ("a&#43;b&#;c&#xzz;", "a+b&#;c&#xzz;"),
            ("&amp;#38;", "&#38;"),
        ] {
            assert_eq!(plain(written), meant);
        }
    }
}
