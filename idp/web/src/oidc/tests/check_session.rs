//! The script of the check-session frame in a JavaScript engine, against the provider's own
//! arithmetic (Session Management §3.2).

use std::path::Path;
use std::process::Command;

use idp_protocol::logout::session_state;
use serde_json::{Value, json};

/// A page's surroundings, as far as the script looks at them; prints the answers to the questions
/// that stand in the first argument.
const STAGE: &str = r"
var receive, told = JSON.parse(process.argv[2]), answers = [];
global.window = { addEventListener: function (name, run) { receive = run; } };
global.document = { documentElement: { getAttribute: function () { return 'tongban_state_8080'; } } };
eval(require('fs').readFileSync(process.argv[1], 'utf8'));
told.forEach(function (one) {
  var answer = null;
  document.cookie = one.cookie;
  receive({ data: one.data, origin: one.origin, source: { postMessage: function (word, to) {
    if (to === one.origin) answer = word;
  } } });
  answers.push(answer);
});
console.log(JSON.stringify(answers));
";

#[allow(clippy::disallowed_methods)] // Tests are told what to use.
fn node() -> Option<std::path::PathBuf> {
    let named = std::env::var_os("TONGBAN_TEST_NODE").map(std::path::PathBuf::from);
    if let Some(path) = &named {
        assert!(path.exists(), "{} is no node", path.display());
    }
    named.or_else(|| {
        ["/usr/bin/node", "/usr/local/bin/node"]
            .iter()
            .map(Into::into)
            .find(|path: &std::path::PathBuf| path.exists())
    })
}

fn ask(node: &Path, questions: &[Value]) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("static/check_session.js");
    // `-e` leaves the arguments from the first on.
    let output = Command::new(node)
        .args(["-e", STAGE, "--"])
        .arg(script)
        .arg(json!(questions).to_string())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn session_management_3_2_the_script_says_what_the_provider_computes() {
    let Some(node) = node() else { return };
    const ORIGIN: &str = "https://a.example";
    let back = format!("{ORIGIN}/cb");
    let (mut questions, mut expected) = (Vec::new(), Vec::new());
    let mut question = |data: Value, origin: &str, cookie: &str, answer: Value| {
        questions.push(json!({"data": data, "origin": origin, "cookie": cookie}));
        expected.push(answer);
    };
    // Every length of a message around the blocks of the hash.
    for length in 1..200 {
        let (client, salt) = ("c".repeat(length), format!("s{length}"));
        let state = session_state(&client, &back, "state", &salt).unwrap();
        let data = json!(format!("{client} {state}"));
        let cookie = "other=1; tongban_state_8080=state; tongban_state_80801=x";
        question(data.clone(), ORIGIN, cookie, json!("unchanged"));
        question(data, ORIGIN, "other=1", json!("changed"));
    }
    let state = session_state("a", &back, "state", "salt").unwrap();
    let data = json!(format!("a {state}"));
    let cookie = "tongban_state_8080=state";
    question(data.clone(), "https://b.example", cookie, json!("changed"));
    question(json!(format!("b {state}")), ORIGIN, cookie, json!("changed"));
    // Nobody is signed in, and nobody was.
    let nobody = session_state("a", &back, "", "salt").unwrap();
    question(json!(format!("a {nobody}")), ORIGIN, "", json!("unchanged"));
    for broken in [json!(""), json!("a"), json!("a nothing"), json!(" x.y"), json!({}), json!(null)]
    {
        question(broken, ORIGIN, cookie, json!("error"));
    }
    // A sandboxed page has no origin to answer to.
    question(data, "null", cookie, json!(null));
    assert_eq!(ask(&node, &questions), expected);
}
