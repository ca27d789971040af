//! Without its data the appliance says so, and nothing else.

use super::*;

#[tokio::test]
async fn every_address_says_what_is_safe_and_what_to_do() {
    let appliance = Appliance::without_relay();
    let router = crate::web::rescue::router(appliance.site.clone(), "bad magic <number>");
    for path in [
        "/",
        "/login",
        "/login/setup?token=00",
        "/console",
        "/chat",
        "/nothing",
        "/link",
    ] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert!(answer.headers().contains_key("x-request-number"), "{path}");
        assert!(
            answer
                .headers()
                .contains_key(header::CONTENT_SECURITY_POLICY)
        );
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8(body.to_vec()).unwrap();
        for words in [
            "cannot read its data",
            "What is safe",
            "factory reset",
            "bad magic &#60;",
        ] {
            assert!(text.contains(words), "{path}: {words}: {text}");
        }
        assert!(!text.contains("<form"), "{path}");
    }
}

#[tokio::test]
async fn programs_are_told_too() {
    let appliance = Appliance::without_relay();
    let router = crate::web::rescue::router(appliance.site.clone(), "why");
    let request = Request::get("/api/v1/status").body(Body::empty()).unwrap();
    let answer = router.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let told: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(told["status"], "rescue");
}
