//! Pages of a partner site: its own look, no script.

use super::{Settings, Visitor};

pub(super) const STYLE: &str = "
:root { color-scheme: light; font: 16px/1.6 system-ui, 'Noto Sans CJK SC', sans-serif; }
body { margin: 0; background: #f4f7f5; color: #1c2b24; }
header { background: #1d6b4f; color: #fff; padding: 1rem 1.25rem; font-size: 1.25rem; }
main { max-width: 40rem; margin: 1.5rem auto; padding: 1.5rem; background: #fff; border-radius: 8px; }
a.button, button { display: inline-block; border: 0; border-radius: 6px; padding: .65rem 1.25rem;
  background: #1d6b4f; color: #fff; font: inherit; text-decoration: none; cursor: pointer; }
a.button:focus, button:focus { outline: 3px solid #f0b429; outline-offset: 2px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .35rem 1rem; }
dt { color: #52665c; } dd { margin: 0; overflow-wrap: anywhere; }
.note { color: #52665c; font-size: .9rem; }
";

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn shell(settings: &Settings, english: bool, main: &str) -> String {
    let (lang, name) = if english { ("en", &settings.name_en) } else { ("zh-CN", &settings.name) };
    let name = escape(name);
    format!(
        "<!doctype html><html lang=\"{lang}\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{name}</title><link rel=\"stylesheet\" href=\"/style.css\"></head>\
         <body><header>{name}</header><main>{main}</main></body></html>"
    )
}

pub(super) fn home(settings: &Settings, visitor: Option<&Visitor>, english: bool) -> String {
    let say = |chinese: &str, en: &str| if english { en.to_owned() } else { chinese.to_owned() };
    let note = say(
        "这是演示用的合作站点，是一个普通的 OpenID Connect 依赖方。",
        "This is a partner site of the demo: an ordinary OpenID Connect relying party.",
    );
    let main = match visitor {
        None => format!(
            "<h1>{}</h1><p><a class=\"button\" data-action=\"signin\" href=\"/signin\">{}</a></p>\
             <p class=\"note\">{note}</p>",
            say("欢迎", "Welcome"),
            say("使用通办账号登录", "Sign in with Tongban"),
        ),
        Some(visitor) => {
            let rows: String = visitor
                .claims
                .iter()
                .map(|(name, value)| {
                    let (name, value) = (escape(name), escape(value));
                    format!("<dt>{name}</dt><dd data-claim=\"{name}\">{value}</dd>")
                })
                .collect();
            format!(
                "<div data-signed-in><h1>{}</h1><dl>{rows}</dl></div>\
                 <form method=\"post\" action=\"/signout\">\
                 <button type=\"submit\" data-action=\"signout\">{}</button></form>\
                 <p class=\"note\">{note}</p>",
                say("您已登录，本站获知的信息如下", "You are signed in; this site has learnt"),
                say("退出登录", "Sign out"),
            )
        }
    };
    shell(settings, english, &main)
}

pub(super) fn trouble(settings: &Settings, sentence: &str) -> String {
    let main = format!(
        "<h1>登录没有完成 · Sign-in did not finish</h1><p role=\"alert\">{}</p>\
         <p><a class=\"button\" data-action=\"signin\" href=\"/signin\">重试 · Try again</a></p>",
        escape(sentence)
    );
    shell(settings, false, &main)
}
