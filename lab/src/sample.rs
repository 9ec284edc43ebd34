//! The rows that every contestant works on, and the texts that name them in each contestant's own language.

use serde_json::{Value, json};

/// The first number; ids are numbers written as the tail of a UUID, so that every tool can make one up.
const FIRST: u64 = 100_000_000_000;
/// The part of an id before the number.
const ID_HEAD: &str = "00000000-0000-7000-8000-";

/// The columns of one read, the same for every contestant.
pub(crate) const COLUMNS: &str =
    "id, name, email, bio, image_urls, attributes, version, created_at, updated_at";

/// The id of a sample profile.
pub(crate) fn id(number: usize) -> String {
    format!("{ID_HEAD}{}", FIRST + u64::try_from(number).unwrap_or(0))
}

/// Ids of some sample profiles, spread over all of them, separated by commas.
pub(crate) fn ids(count: usize, profiles: usize) -> String {
    (0..count).map(|number| id(number * 7919 % profiles)).collect::<Vec<_>>().join(",")
}

/// A sample profile as the API takes it. `generation` keeps the e-mails of several tables of samples apart.
pub(crate) fn profile(generation: &str, number: usize) -> Value {
    json!({
        "name": format!("Sample Person {number}"),
        "email": format!("sample-{generation}-{number}@example.org"),
        "bio": "A made-up person whose biography is about as long as most are: a sentence, and then half of another.",
    })
}

/// A wrk script whose requests take gzip.
pub(crate) const WRK_GZIP_SCRIPT: &str = "wrk.headers['accept-encoding'] = 'gzip'\n";

/// A biography of so many letters, in words that differ.
pub(crate) fn biography(letters: usize) -> String {
    let words = (0_u64..).map(|number| format!("{:x} ", number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40));
    let mut text = String::with_capacity(letters + 16);
    for word in words {
        if text.len() >= letters {
            break;
        }
        text.push_str(&word);
    }
    text.truncate(letters);
    text
}

/// A wrk script that reads a random sample profile with every request.
pub(crate) fn wrk_read_script(profiles: usize) -> String {
    let last = FIRST + u64::try_from(profiles).unwrap_or(1) - 1;
    format!(
        "math.randomseed(os.time())\n\
         request = function()\n\
         \treturn wrk.format('GET', string.format('/api/v1/profiles/{ID_HEAD}%.0f', math.random({FIRST}, {last})))\n\
         end\n"
    )
}

/// The same with sixteen requests on their way at once on each connection, written before the clock runs.
pub(crate) fn wrk_pipelined_read_script(profiles: usize) -> String {
    let last = FIRST + u64::try_from(profiles).unwrap_or(1) - 1;
    format!(
        "local ready, at = {{}}, 0\n\
         init = function()\n\
         \tmath.randomseed(os.time())\n\
         \tfor bundle = 1, 512 do\n\
         \t\tlocal some = {{}}\n\
         \t\tfor one = 1, 16 do\n\
         \t\t\tsome[one] = wrk.format('GET', string.format('/api/v1/profiles/{ID_HEAD}%.0f', math.random({FIRST}, {last})))\n\
         \t\tend\n\
         \t\tready[bundle] = table.concat(some)\n\
         \tend\n\
         end\n\
         request = function()\n\
         \tat = at % 512 + 1\n\
         \treturn ready[at]\n\
         end\n"
    )
}

/// A wrk script that creates a profile with every request.
pub(crate) fn wrk_create_script() -> String {
    "wrk.method = 'POST'\nwrk.path = '/api/v1/profiles/random'\n".to_owned()
}

/// A pgbench script that reads a random sample profile.
pub(crate) fn pgbench_read_script(profiles: usize) -> String {
    let last = FIRST + u64::try_from(profiles).unwrap_or(1) - 1;
    format!(
        "\\set n random({FIRST}, {last})\n\
         select {COLUMNS} from profiles where id = ('{ID_HEAD}' || :n)::uuid and deleted_at is null;\n"
    )
}

/// A pgbench script that creates a profile as the service does: one transaction, one insert.
pub(crate) fn pgbench_create_script() -> String {
    "begin;\n\
     insert into profiles (id, name, email, email_key, bio, image_urls, attributes, search_text, version, created_at, \
     created_by, updated_at, tenant) values (gen_random_uuid(), 'Sample Person', gen_random_uuid() || '@example.org', \
     gen_random_uuid() || '@example.org', 'Sample is a made-up person.', '[]', '{}', \
     'sample person ' || gen_random_uuid() || '@example.org', 1, now(), 'pgbench', now(), '');\n\
     commit;\n"
        .to_owned()
}

/// Sample profiles as a CSV file for `\\copy`, and the command that loads it.
pub(crate) fn copy_file(generation: &str, count: usize) -> String {
    let mut csv = String::new();
    for number in 0..count {
        let profile = profile(generation, number);
        let text = |field: &str| profile[field].as_str().unwrap_or_default().to_owned();
        let (name, email, bio) = (text("name"), text("email"), text("bio"));
        let id = format!("{:08x}-0000-7000-9000-{number:012}", generation_number(generation));
        let moment = "2026-01-01T00:00:00.000001Z";
        csv.push_str(&format!(
            "{id},{name},{email},{email},\"{bio}\",[],{{}},{name} {email},1,{moment},copy,{moment},\"\"\n"
        ));
    }
    csv
}

/// The command that loads a [`copy_file`].
pub(crate) fn copy_command(file: &std::path::Path) -> String {
    format!(
        "\\copy profiles (id, name, email, email_key, bio, image_urls, attributes, search_text, version, created_at, \
         created_by, updated_at, tenant) from '{}' csv",
        file.display()
    )
}

fn generation_number(generation: &str) -> usize {
    generation.trim_start_matches(|letter: char| !letter.is_ascii_digit()).parse().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use pando_database::testing::TestDatabase;

    use super::*;
    use crate::load::psql;

    /// The commands of a comparison name the columns of a table that is not theirs.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_the_comparisons_write_fits_the_tables() {
        let test = TestDatabase::postgres().await;
        test.open().await.migrate(&[pando_profiles::MIGRATIONS]).await.unwrap();
        let server = test.options.url.as_ref().unwrap().expose();
        let (server, name) = (server.rsplit_once('/').unwrap().0, test.options.database.as_ref().unwrap());
        let (url, folder) = (format!("{server}/{name}"), tempfile::tempdir().unwrap());
        let file = folder.path().join("copy.csv");
        std::fs::write(&file, copy_file("copy0", 3)).unwrap();
        let read = pgbench_read_script(1).replace("\\set n random(", "-- ").replace(":n", "'000000000000'");
        for commands in [copy_command(&file), pgbench_create_script(), read] {
            psql(&url, &commands).await.unwrap();
        }
        assert_eq!(psql(&url, "select count(*) from profiles").await.unwrap().trim(), "4");
    }
}
