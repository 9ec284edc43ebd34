//! What answers about profiles tell beside the body: ignored fields, versions, and why a change came too late.

use serde_json::json;

use crate::client::Client;
use crate::engines::Place;

const API: &str = "/api/v1/profiles";

#[test]
fn fields_that_no_profile_has_are_named_and_the_rest_is_done() {
    for place in Place::both() {
        let running = place.start(&[]);
        let mut client = Client::connect(running.address).unwrap();
        let zoe =
            json!({"name": "Zoë", "email": "zoe@example.org", "biography": "x", "id": "mine", "ü, z": 1});
        let made = client.json("POST", API, &zoe).unwrap();
        assert_eq!((made.status, made.header("pando-ignored")), (201, Some("biography, %C3%BC%2C%20z")));
        let path = format!("{API}/{}", made.value()["id"].as_str().unwrap());
        let put = client.json("PUT", &path, &json!({"runAt": 1, "bio": "y"})).unwrap();
        assert_eq!((put.status, put.header("pando-ignored")), (200, Some("runAt")));
        let batch = json!([{"name": "A", "email": "a@example.org", "nick": 1}, {"nick": 2, "age": 3}]);
        let batch = client.json("POST", &format!("{API}:batch"), &batch).unwrap();
        assert_eq!((batch.status, batch.header("pando-ignored")), (200, Some("nick, age")));
        // Who sends back what was read misspells nothing.
        let read = client.get(&path).unwrap().value()["profile"].clone();
        let same = client.json("PUT", &path, &read).unwrap();
        assert_eq!((same.status, same.header("pando-ignored")), (200, None), "{same:?}");
    }
}

#[test]
fn a_change_that_comes_too_late_is_told_the_version_there_is() {
    for place in Place::both() {
        let running = place.start(&[]);
        let mut client = Client::connect(running.address).unwrap();
        let zoe = client.json("POST", API, &json!({"name": "Zoë", "email": "zoe@example.org"})).unwrap();
        let path = format!("{API}/{}", zoe.value()["id"].as_str().unwrap());
        client.json("PUT", &path, &json!({"bio": "y"})).unwrap();
        let headers = [("content-type", "application/json"), ("if-match", "\"1\"")];
        for (method, part) in [("PUT", ""), ("DELETE", ""), ("PUT", "/address"), ("POST", "/restore")] {
            let late = client.send(method, &format!("{path}{part}"), &headers, b"{\"bio\": \"z\"}").unwrap();
            assert_eq!((late.status, late.header("etag")), (412, Some("\"2\"")), "{method} {part}: {late:?}");
            let error = &late.value()["errors"][0];
            assert_eq!((&error["field"], &error["message"]), (&json!("version"), &json!("2")), "{late:?}");
        }
    }
}
