//! Writes of images with an `Idempotency-Key`: one effect, and the same answer to each repeat.

use pando_images::Picture;
use serde_json::json;

use crate::client::Client;
use crate::engines::Place;
use crate::erasure::ended;
use crate::harness::Running;
use crate::images::{Reply, person, png, send};

fn post(running: &Running, images: &str, key: &str, media: &str, body: &[u8]) -> Reply {
    let headers = [("content-type", media), ("idempotency-key", key)];
    send(running.address, "POST", images, &headers, body).unwrap()
}

fn form(boundary: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("--{boundary}\r\ncontent-disposition: form-data; name=\"image\"\r\n\r\n");
    [head.as_bytes(), content, format!("\r\n--{boundary}--\r\n").as_bytes()].concat()
}

fn is_replay(reply: &Reply) -> bool {
    reply.header("idempotent-replayed") == Some("true")
}

#[test]
fn an_image_that_is_sent_again_with_its_key_is_answered_as_the_first_time() {
    for place in Place::both() {
        let running = place.start(&[]);
        let mut client = Client::connect(running.address).unwrap();
        let images = person(&running, "zoe");
        let content = png(&Picture::paint(70, 50, |_, _| [1, 2, 3]));
        let first = post(&running, &images, "add", "image/png", &content);
        assert_eq!((first.status, is_replay(&first)), (201, false), "on {}", place.name);
        let forms = ["one", "two"].map(|boundary| {
            let media = format!("multipart/form-data; boundary={boundary}");
            post(&running, &images, "add", &media, &form(boundary, &content))
        });
        for again in [post(&running, &images, "add", "image/png", &content)].iter().chain(&forms) {
            assert_eq!((again.status, is_replay(again)), (201, true), "in whatever it is wrapped");
            assert_eq!((&again.body, again.header("location")), (&first.body, first.header("location")));
        }
        let known = post(&running, &images, "known", "image/png", &content);
        assert_eq!((known.status, is_replay(&known)), (200, false));
        assert_eq!(post(&running, &images, "known", "image/png", &content).body, known.body);
        let other = png(&Picture::paint(70, 50, |_, _| [3, 2, 1]));
        assert_eq!(post(&running, &images, "add", "image/png", &other).status, 422);
        let svg = post(&running, &images, "svg", "image/png", b"<svg/>");
        let again = post(&running, &images, "svg", "image/png", b"<svg/>");
        assert_eq!(
            (svg.status, again.status, is_replay(&again)),
            (415, 415, false),
            "what is no image uses no key up"
        );
        assert_eq!(client.get(&images).unwrap().value().as_array().unwrap().len(), 1);

        let one = format!("{images}/1");
        let delete = || send(running.address, "DELETE", &one, &[("idempotency-key", "gone")], b"").unwrap();
        assert_eq!((delete().status, is_replay(&delete())), (204, true));
        assert_eq!(send(running.address, "DELETE", &one, &[], b"").unwrap().status, 404);
        let late = post(&running, &images, "add", "image/png", &content);
        assert_eq!((late.status, &late.body), (201, &first.body), "what was done is not done again");
        assert_eq!(client.get(&images).unwrap().value(), json!([]));

        let path = images.trim_end_matches("/images");
        let accepted = client.send("POST", &format!("{path}/erase"), &[], b"").unwrap();
        let task = ended(&mut client, accepted.header("location").unwrap());
        assert_eq!(task["result"]["removed"]["idempotent_answers"], 3, "{task}");
        assert_eq!(post(&running, &images, "add", "image/png", &content).status, 404);
    }
}
