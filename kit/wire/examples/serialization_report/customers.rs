//! Customers that differ as real ones do, in the order of their creation. The same seed makes the same customers.

use std::collections::BTreeMap;

use fastrand::Rng;
use prost::Message;
use prost_types::Timestamp;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Customer {
    #[prost(string, tag = "1")]
    pub(crate) id: String,
    #[prost(string, tag = "2")]
    pub(crate) email: String,
    #[prost(string, tag = "3")]
    pub(crate) name: String,
    #[prost(string, tag = "4")]
    pub(crate) phone: String,
    #[prost(btree_map = "string, string", tag = "5")]
    pub(crate) metadata: BTreeMap<String, String>,
    #[prost(message, optional, tag = "6")]
    pub(crate) created_at: Option<Timestamp>,
    #[prost(message, optional, tag = "7")]
    pub(crate) updated_at: Option<Timestamp>,
    #[prost(int64, tag = "8")]
    pub(crate) version: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct CustomerBatch {
    #[prost(message, repeated, tag = "1")]
    pub(crate) customers: Vec<Customer>,
}

const FIRST_NAMES: [&str; 40] = [
    "Amélie", "Ahmed", "Anna", "Benjamin", "Carla", "Chloe", "Daniel", "Diego", "Elif", "Emma", "Fatima",
    "Felix", "Grace", "Hannah", "Hiroshi", "Ines", "Ivan", "Jakub", "Jonas", "Julia", "Karim", "Laura",
    "Liam", "Lucía", "Maria", "Mateusz", "Mei", "Nina", "Noah", "Olga", "Oliver", "Paul", "Priya", "Rosa",
    "Samuel", "Sofia", "Tomás", "Victor", "Yuki", "Zoë",
];
const LAST_NAMES: [&str; 40] = [
    "Andersson",
    "Bauer",
    "Bianchi",
    "Brown",
    "Chen",
    "Costa",
    "Dubois",
    "Eriksen",
    "Fernández",
    "Fischer",
    "Garcia",
    "Haddad",
    "Hoffmann",
    "Ivanova",
    "Jansen",
    "Johnson",
    "Kaya",
    "Kim",
    "Kowalski",
    "Kumar",
    "Lefèvre",
    "López",
    "Martin",
    "Meyer",
    "Moreau",
    "Müller",
    "Nakamura",
    "Nguyen",
    "Novak",
    "O'Connor",
    "Patel",
    "Peeters",
    "Rossi",
    "Santos",
    "Schneider",
    "Silva",
    "Smith",
    "Tanaka",
    "Wagner",
    "Williams",
];
const MAIL_HOSTS: [&str; 8] =
    ["gmail.com", "outlook.com", "yahoo.com", "icloud.com", "gmx.de", "proton.me", "web.de", "orange.fr"];
const PREFIXES: [&str; 8] = ["+49", "+33", "+44", "+1", "+34", "+39", "+48", "+90"];
/// Each key with its values, and the share of customers that have the key.
const METADATA: [(&str, &[&str], f64); 9] = [
    ("plan", &["free", "starter", "business", "enterprise"], 1.0),
    ("customer_segment", &["consumer", "small_business", "mid_market", "public_sector"], 0.9),
    ("preferred_language", &["de-DE", "en-GB", "en-US", "fr-FR", "es-ES", "pl-PL", "tr-TR"], 0.9),
    (
        "acquisition_channel",
        &["website", "referral", "partner", "trade_fair", "newsletter", "import-2024"],
        0.8,
    ),
    ("time_zone", &["Europe/Berlin", "Europe/Paris", "America/New_York", "Asia/Tokyo"], 0.6),
    ("marketing_consent", &["granted", "refused", "unknown"], 0.8),
    ("payment_terms", &["prepaid", "net_14", "net_30", "net_60"], 0.5),
    ("account_manager", &["a.becker", "j.moore", "s.ricci", "t.yilmaz", "m.dupont"], 0.4),
    ("billing_country", &["DE", "FR", "GB", "US", "ES", "IT", "PL", "TR"], 0.7),
];

pub(crate) fn customers(count: usize, seed: u64) -> Vec<Customer> {
    let mut random = Rng::with_seed(seed);
    let mut created = 1_735_689_600;
    let mut next = || {
        created += random.i64(1..7_200);
        customer(&mut random, created)
    };
    (0..count).map(|_| next()).collect()
}

fn customer(random: &mut Rng, created: i64) -> Customer {
    let updated = created + random.i64(0..7_776_000);
    let (first, last) = (pick(random, &FIRST_NAMES), pick(random, &LAST_NAMES));
    let mut metadata = BTreeMap::new();
    for (key, values, share) in METADATA {
        if random.f64() < share {
            metadata.insert(key.to_owned(), pick(random, values).to_owned());
        }
    }
    Customer {
        id: uuid(random, created),
        email: email(random, first, last),
        name: format!("{first} {last}"),
        phone: match random.f64() < 0.85 {
            true => format!("{}{}", pick(random, &PREFIXES), random.u64(1_000_000_000..9_999_999_999)),
            false => String::new(),
        },
        metadata,
        created_at: Some(Timestamp { seconds: created, nanos: random.i32(0..1_000_000) * 1_000 }),
        updated_at: Some(Timestamp { seconds: updated, nanos: random.i32(0..1_000_000) * 1_000 }),
        version: 1 + i64::from(random.u8(..)) * i64::from(random.u8(..)) / 2_000,
    }
}

/// Earlier values are more frequent, as a few countries, plans and mail hosts have most of the customers.
fn pick(random: &mut Rng, from: &[&'static str]) -> &'static str {
    let share = random.f64().powi(2);
    let place = (1..from.len()).take_while(|place| share * from.len() as f64 >= *place as f64).count();
    from[place]
}

/// A UUID of version 7, which begins with the time.
fn uuid(random: &mut Rng, seconds: i64) -> String {
    let millis = seconds * 1_000 + random.i64(0..1_000);
    let tail: u64 = random.u64(..) >> 2 | 0x8000_0000_0000_0000;
    format!(
        "{:08x}-{:04x}-7{:03x}-{:04x}-{:012x}",
        millis >> 16,
        millis & 0xffff,
        random.u16(..0x1000),
        tail >> 48,
        tail & 0xffff_ffff_ffff
    )
}

fn email(random: &mut Rng, first: &str, last: &str) -> String {
    let plain =
        |name: &str| name.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_lowercase();
    let (first, last) = (plain(first), plain(last));
    let host = match random.f64() < 0.7 {
        true => pick(random, &MAIL_HOSTS).to_owned(),
        false => {
            format!("{}-{}.com", plain(pick(random, &LAST_NAMES)), pick(random, &["group", "shop", "it"]))
        }
    };
    match random.u8(0..3) {
        0 => format!("{first}.{last}@{host}"),
        1 => format!("{}{last}{}@{host}", &first[..1], random.u8(1..100)),
        _ => format!("{first}{}@{host}", random.u16(1950..2010)),
    }
}
