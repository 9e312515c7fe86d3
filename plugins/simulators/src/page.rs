//! Pages of simulators: plain, and never to be taken for the real thing.

use axum::response::Html;

/// Text as HTML text or attribute.
#[must_use]
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

const STYLE: &str = "body{font:16px/1.6 system-ui,sans-serif;margin:0;background:#f4f5f7;color:#1b1f24}\
main{max-width:46rem;margin:2rem auto;padding:1.5rem;background:#fff;border:1px solid #d5d9e0;border-radius:8px}\
.simulator{background:#fff4cc;color:#4d3b00;padding:.5rem 1.5rem;text-align:center}\
button,.button{font:inherit;padding:.6rem 1.2rem;margin:.25rem .5rem .25rem 0;border:1px solid #1f4e8c;border-radius:6px;background:#1f4e8c;color:#fff}\
button.quiet{background:#fff;color:#1f4e8c}\
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.4rem .6rem;border-bottom:1px solid #e3e6ea;overflow-wrap:anywhere}\
.amount{font-size:2rem}:focus-visible{outline:3px solid #f0b429}";

/// A whole page; `main` is HTML.
pub fn shell(title: &str, main: &str) -> Html<String> {
    let title = escape(title);
    Html(format!(
        r#"<!doctype html><html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title><style>{STYLE}</style></head><body><p class="simulator" role="note">模拟器，不是真实机构 · A simulator, not the real institution</p><main><h1>{title}</h1>{main}</main></body></html>"#
    ))
}
