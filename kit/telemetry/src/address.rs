//! Addresses of servers, as people may read them.

/// The parameters of an address whose values are shown.
const SHOWN: [&str; 7] = ["host", "port", "user", "dbname", "sslmode", "sslrootcert", "application_name"];
const HIDDEN: &str = "***";

/// The parts of a server's address that cannot be a secret: scheme, user, hosts with their ports, path, and well-known parameters.
/// Everything else is `***`, and so is an address that cannot be read: somebody may have written the password where another part
/// belongs.
pub fn shown_address(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return pairs(address) };
    let is_scheme = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    if scheme.is_empty() || !scheme.bytes().all(is_scheme) {
        return HIDDEN.to_owned();
    }
    // The last @ ends the credentials: a password that was not escaped may hold one itself, or a slash.
    let (credentials, rest) = match rest.rsplit_once('@') {
        Some((credentials, rest)) => (Some(credentials), rest),
        None => (None, rest),
    };
    let (rest, parameters) = rest.split_once('?').map_or((rest, None), |(rest, all)| (rest, Some(all)));
    let (hosts, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let mut shown = format!("{scheme}://");
    if let Some(credentials) = credentials {
        let (user, password) =
            credentials.split_once(':').map_or((credentials, None), |(user, it)| (user, Some(it)));
        // The only word before a Redis is often its password.
        let is_user = is_name(user) && !(password.is_none() && scheme.starts_with("redis"));
        shown += if is_user || user.is_empty() { user } else { HIDDEN };
        shown += password.map_or("", |_| ":***");
        shown.push('@');
    }
    shown += if hosts.split(',').all(is_host) { hosts } else { HIDDEN };
    let is_path = |byte: u8| is_name_byte(byte) || b"/%".contains(&byte);
    shown += if path.bytes().all(is_path) { path } else { "/***" };
    if let Some(parameters) = parameters {
        let parameters = parameters.split('&').map(pair);
        shown += &format!("?{}", parameters.collect::<Vec<_>>().join("&"));
    }
    shown
}

/// `host=db password=… dbname=pando`
fn pairs(text: &str) -> String {
    if !text.contains('=') || text.contains(['\'', '"', '\\']) {
        return HIDDEN.to_owned();
    }
    text.split_whitespace().map(pair).collect::<Vec<_>>().join(" ")
}

fn pair(text: &str) -> String {
    match text.split_once('=') {
        Some((name, value))
            if SHOWN.contains(&name) && value.bytes().all(|byte| is_name_byte(byte) || byte == b'/') =>
        {
            text.to_owned()
        }
        Some((name, _)) if is_name(name) => format!("{name}={HIDDEN}"),
        _ => HIDDEN.to_owned(),
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_name_byte)
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}

/// A name or an address, and perhaps a port, which is a number: `user:password` is none.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, port)) if host.bytes().all(|byte| byte.is_ascii_hexdigit() || b":.%".contains(&byte)) => {
            ("ipv6", port)
        }
        Some(_) => return false,
        None => text.find(':').map_or((text, ""), |at| text.split_at(at)),
    };
    let port = port.strip_prefix(':').unwrap_or(port);
    (host.is_empty() || is_name(host)) && port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::shown_address;

    #[test]
    fn only_parts_that_cannot_be_a_secret_are_shown() {
        for (given, shown) in [
            ("postgres://pando:s3cret@db:5432/pando", "postgres://pando:***@db:5432/pando"),
            ("postgres://pando@one:5432,two/pando", "postgres://pando@one:5432,two/pando"),
            (
                "postgres://u:a/b@c@[::1]:5432/pando?sslmode=require",
                "postgres://u:***@[::1]:5432/pando?sslmode=require",
            ),
            (
                "postgres://db/x?user=u&pass=s3cret&password=s3cret",
                "postgres://db/x?user=u&pass=***&password=***",
            ),
            ("redis://:s3cret@redis:6379/0", "redis://:***@redis:6379/0"),
            ("redis://s3cret@redis:6379", "redis://***@redis:6379"),
            ("amqp://guest:guest@mq/%2f", "amqp://guest:***@mq/%2f"),
            ("postgres://u:s3cret", "postgres://***"),
            ("postgres:/u:s3cret@db/x", "***"),
            ("u:s3cret@db", "***"),
            ("s3cret", "***"),
            ("host=db user=u password=s3cret", "host=db user=u password=***"),
            ("host=db password='s3 host=cret'", "***"),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
        ] {
            assert_eq!(shown_address(given), shown);
        }
    }
}
