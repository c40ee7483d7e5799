//! Browsers' forms, as browsers send them.

use std::time::Duration;

use holdfs::s3::post::PostForm;

use crate::mounted::harness::block_on;

/// Sends a form with this key and file; status and body of the answer. Ceph 16 calls one and the same policy malformed
/// now and then, while other requests are under way: then the form is sent again.
pub fn post(form: &PostForm, key: &str, file: &str) -> (u16, String) {
    for _ in 0..20 {
        let answer = post_once(form, key, file);
        if !answer.1.contains("Malformed JSON") {
            return answer;
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    panic!("twenty times the answer was that this policy is malformed: {:?}", form.fields);
}

fn post_once(form: &PostForm, key: &str, file: &str) -> (u16, String) {
    let mut body = String::new();
    for (name, value) in &form.fields {
        let value = if name == "key" { key } else { value };
        body += &format!("--X\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    body += "--X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\nContent-Type: text/plain\r\n";
    body += &format!("\r\n{file}\r\n--X--\r\n");
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().danger_accept_invalid_certs(true).build().unwrap();
    let request = client
        .post(&form.url)
        .header("content-type", "multipart/form-data; boundary=X")
        .header("content-length", body.len())
        .body(body);
    block_on(async {
        let reply = request.send().await.unwrap();
        (reply.status().as_u16(), reply.text().await.unwrap())
    })
}
