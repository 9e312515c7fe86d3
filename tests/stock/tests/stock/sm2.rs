//! A partner with commercial cryptography: `sm-crypto` of npm signs its assertions and requests by
//! SM2, and checks what the provider signed for it (GM/T 0125).

use serde_json::{Value, json};
use tests_kit::Engine;

use crate::node;
use crate::play::Stage;

const NAME: &str = "SGD_SM3_SM2";

async fn signs_in_by_sm2(engine: Engine) {
    let Some(stage) = Stage::of(node::program("sm_crypto.mjs"), engine).await else { return };
    let none = json!({"client": {}});
    let made = stage.run("makes_a_key", Value::Null, none).await.done;
    let client = stage.provider.register(&json!({
        "token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [made["jwk"]]},
        "token_endpoint_auth_signing_alg": NAME, "request_object_signing_alg": NAME,
        "id_token_signed_response_alg": NAME, "userinfo_signed_response_alg": NAME,
    }));
    let settings = json!({"issuer": stage.provider.issuer, "client": client,
        "secret": made["secret"]});
    let told = stage.run("signs_in_by_sm2", client, settings).await;
    let (done, claims) = (&told.done, &told.done["claims"]);
    assert_eq!(claims["iss"], json!(stage.provider.issuer), "{done}");
    assert_eq!(claims["aud"], told.client["client_id"], "{done}");
    assert_eq!((&claims["nonce"], &claims["at_hash"]), (&done["nonce"], &done["half"]), "{done}");
    assert_eq!(done["userinfo"]["sub"], claims["sub"], "{done}");
    assert_eq!(done["userinfo"]["name"], json!(told.person.name), "{done}");
    assert_eq!(done["unknown"]["error"], "invalid_client", "{done}");
    assert_eq!(done["altered"]["message"], "the signature is wrong", "{done}");
    assert!(done["offered"].as_array().unwrap().contains(&json!(NAME)), "{done}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sm_crypto_on_sqlite() {
    signs_in_by_sm2(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sm_crypto_on_postgres() {
    signs_in_by_sm2(Engine::Postgres).await;
}
