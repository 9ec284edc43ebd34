//! Invented people, with names in many scripts.

use super::dice::Dice;

/// Someone made up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Person {
    /// The name as they would write it.
    pub(super) name: String,
    /// A unique address, in a domain that belongs to no one.
    pub(super) email: String,
    /// A line about them.
    pub(super) bio: String,
}

/// A name in its own script, and the letters it has in an address.
type Part = (&'static str, &'static str);

struct Script {
    given: &'static [Part],
    family: &'static [Part],
    /// Family name first, without a space: 李雷.
    family_first: bool,
}

const SCRIPTS: [Script; 9] = [
    Script {
        given: &[
            ("Zoë", "zoe"),
            ("Amara", "amara"),
            ("João", "joao"),
            ("Søren", "soren"),
            ("Łucja", "lucja"),
            ("Anne-Marie", "anne-marie"),
            ("Çağla", "cagla"),
            ("Siobhán", "siobhan"),
        ],
        family: &[
            ("O'Brien", "obrien"),
            ("Nguyễn", "nguyen"),
            ("García Márquez", "garcia.marquez"),
            ("van der Berg", "vanderberg"),
            ("Okonkwo", "okonkwo"),
            ("Müller", "mueller"),
            ("Sánchez", "sanchez"),
            ("Ågren", "agren"),
        ],
        family_first: false,
    },
    Script {
        given: &[("Дарья", "darya"), ("Олексій", "oleksii"), ("Мария", "maria"), ("Стојан", "stojan")],
        family: &[
            ("Ковальчук", "kovalchuk"),
            ("Петров", "petrov"),
            ("Иванова", "ivanova"),
            ("Јовић", "jovic"),
        ],
        family_first: false,
    },
    Script {
        given: &[("Ελένη", "eleni"), ("Νίκος", "nikos"), ("Δήμητρα", "dimitra"), ("Γιώργος", "giorgos")],
        family: &[("Παπαδοπούλου", "papadopoulou"), ("Αγγελής", "angelis"), ("Οικονόμου", "oikonomou")],
        family_first: false,
    },
    Script {
        given: &[("ليلى", "layla"), ("يوسف", "yusuf"), ("مريم", "maryam"), ("عمر", "omar")],
        family: &[("الحسيني", "alhusseini"), ("حداد", "haddad"), ("بن علي", "benali"), ("منصور", "mansour")],
        family_first: false,
    },
    Script {
        given: &[("נועה", "noa"), ("איתן", "eitan"), ("תמר", "tamar")],
        family: &[("לוי", "levi"), ("כהן", "cohen"), ("בן־דוד", "bendavid")],
        family_first: false,
    },
    Script {
        given: &[("अनन्या", "ananya"), ("अर्जुन", "arjun"), ("प्रिया", "priya"), ("रोहन", "rohan")],
        family: &[("शर्मा", "sharma"), ("पटेल", "patel"), ("गुप्ता", "gupta"), ("सिंह", "singh")],
        family_first: false,
    },
    Script {
        given: &[("雷", "lei"), ("梅梅", "meimei"), ("伟", "wei"), ("秀英", "xiuying")],
        family: &[("李", "li"), ("韩", "han"), ("王", "wang"), ("欧阳", "ouyang")],
        family_first: true,
    },
    Script {
        given: &[("さくら", "sakura"), ("健太", "kenta"), ("ユキ", "yuki"), ("直美", "naomi")],
        family: &[("佐藤", "sato"), ("鈴木", "suzuki"), ("髙橋", "takahashi"), ("渡邉", "watanabe")],
        family_first: true,
    },
    Script {
        given: &[("민준", "minjun"), ("서연", "seoyeon"), ("지우", "jiu"), ("하은", "haeun")],
        family: &[("김", "kim"), ("이", "lee"), ("박", "park"), ("최", "choi")],
        family_first: true,
    },
];

const WORK: [&str; 8] = [
    "Repairs cellos",
    "Keeps bees on a roof",
    "Writes letters for other people",
    "Maps mountain paths",
    "Bakes at four in the morning",
    "Teaches statistics",
    "Restores tiled stoves",
    "Drives the night train",
];

const ASIDE: [&str; 6] = [
    "and never forgets a birthday.",
    "and collects lighthouses.",
    "when it rains.",
    "in three languages.",
    "and would rather be swimming.",
    "with a very old dog.",
];

/// The person at place `index` of the crowd that grows from `seed`: always the same one.
pub(super) fn person(seed: u64, index: u64) -> Person {
    let mut dice = Dice::new(seed, index);
    let script = dice.pick(&SCRIPTS);
    let (given, family) = (dice.pick(script.given), dice.pick(script.family));
    let name = if script.family_first {
        format!("{}{}", family.0, given.0)
    } else {
        format!("{} {}", given.0, family.0)
    };
    Person {
        name,
        // Seed and place in the address, so that two crowds can live in one database.
        email: format!("{}.{}.{seed}-{index}@example.com", given.1, family.1),
        bio: format!("{} {}", dice.pick(&WORK), dice.pick(&ASIDE)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_crowd_is_a_function_of_its_seed() {
        assert_eq!(person(7, 1_234), person(7, 1_234));
        assert_ne!(person(7, 1_234).email, person(8, 1_234).email);
    }

    #[test]
    fn everyone_has_an_address_of_their_own_and_names_vary() {
        let crowd: Vec<Person> = (0..20_000).map(|index| person(1, index)).collect();
        let addresses: BTreeSet<&str> = crowd.iter().map(|person| person.email.as_str()).collect();
        assert_eq!(addresses.len(), crowd.len());
        assert!(addresses.iter().all(|address| address.is_ascii()));
        let names: BTreeSet<&str> = crowd.iter().map(|person| person.name.as_str()).collect();
        assert!(names.len() > 150, "{}", names.len());
        for letter in ['ë', 'р', 'ν', 'ل', 'נ', 'न', '李', 'さ', '김'] {
            assert!(names.iter().any(|name| name.contains(letter)), "{letter}");
        }
    }
}
