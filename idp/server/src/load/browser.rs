//! A person at a browser, as far as a load run needs one: cookies, redirects, and the forms of our
//! own pages.

use reqwest::multipart;
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use url::Url;

/// One person's browser; its cookies are its own.
pub(super) struct Browser {
    client: Client,
    origin: String,
}

/// What a page answered: where it was, its text, and an address outside of the product that it
/// sent the browser to, if it did.
pub(super) struct Page {
    pub(super) status: u16,
    pub(super) address: Url,
    pub(super) text: String,
    pub(super) outside: Option<Url>,
}

fn told(cause: impl std::fmt::Display) -> String {
    cause.to_string()
}

/// A browser's client, which follows nothing by itself.
///
/// # Errors
/// A sentence.
pub(super) fn client(cookies: bool) -> Result<Client, String> {
    let timeout = std::time::Duration::from_secs(30);
    let built = Client::builder().redirect(Policy::none()).cookie_store(cookies).timeout(timeout);
    built.build().map_err(told)
}

impl Browser {
    pub(super) fn new(origin: &str) -> Result<Self, String> {
        Ok(Self { client: client(true)?, origin: origin.to_owned() })
    }

    pub(super) async fn get(&self, address: Url) -> Result<Page, String> {
        let answer = self.client.get(address).send().await.map_err(told)?;
        self.follow(answer).await
    }

    pub(super) async fn post(&self, to: Url, fields: &[(&str, &str)]) -> Result<Page, String> {
        let request = self.client.post(to).header("origin", &self.origin).form(fields);
        self.follow(request.send().await.map_err(told)?).await
    }

    pub(super) async fn upload(
        &self,
        to: Url,
        fields: impl Iterator<Item = (String, String)>,
    ) -> Result<Page, String> {
        let form =
            fields.fold(multipart::Form::new(), |form, (name, value)| form.text(name, value));
        let request = self.client.post(to).header("origin", &self.origin).multipart(form);
        self.follow(request.send().await.map_err(told)?).await
    }

    /// Follows redirects within the product; the first that leaves it is given back unfollowed.
    async fn follow(&self, mut answer: Response) -> Result<Page, String> {
        for _ in 0..12 {
            let (status, address) = (answer.status(), answer.url().clone());
            let location = answer.headers().get("location").and_then(|to| to.to_str().ok());
            let Some(to) = location.filter(|_| status.is_redirection()) else {
                let text = answer.text().await.map_err(told)?;
                return Ok(Page { status: status.as_u16(), address, text, outside: None });
            };
            let to = address.join(to).map_err(told)?;
            if to.origin() != address.origin() {
                let outside = Some(to);
                return Ok(Page { status: status.as_u16(), address, text: String::new(), outside });
            }
            answer = self.client.get(to).send().await.map_err(told)?;
        }
        Err("the pages send the browser around in a circle".to_owned())
    }
}

impl Page {
    /// The address of the form that holds a field.
    ///
    /// # Errors
    /// A sentence with the page's path and status, if there is none.
    pub(super) fn form_with(&self, field: &str) -> Result<Url, String> {
        let missing =
            || format!("{} answered {} without `{field}`", self.address.path(), self.status);
        let at = self.text.find(&format!("name=\"{field}\"")).ok_or_else(missing)?;
        let before = self.text.get(..at).ok_or_else(missing)?;
        let form = before.rfind("<form").and_then(|from| before.get(from..)).ok_or_else(missing)?;
        let action = attribute(form, "action").ok_or_else(missing)?;
        self.address.join(&action).map_err(told)
    }

    /// The value of a hidden field.
    pub(super) fn hidden(&self, field: &str) -> Option<String> {
        let at = self.text.find(&format!("name=\"{field}\""))?;
        attribute(self.text.get(at..)?, "value")
    }
}

/// The first value of an attribute in our own pages' text.
fn attribute(text: &str, name: &str) -> Option<String> {
    let tag = text.split('>').next()?;
    let value = tag.split_once(&format!("{name}=\""))?.1.split('"').next()?;
    Some(value.replace("&#38;", "&").replace("&amp;", "&"))
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
        assert!(page.form_with("nothing").unwrap_err().contains("/signin answered 200"));
    }
}
