//! Words that names are written with but not told apart by: legal forms, titles, particles, abbreviations.

/// The kind of a word. It decides how much the word weighs beside an ordinary one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WordClass {
    /// An ordinary word.
    Ordinary,
    /// One letter.
    Initial,
    /// A small word of a language: `of`, `al`, `von`.
    Particle,
    /// A title of a person: `dr`, `sheikh`.
    Title,
    /// The legal form of a company: `ltd`, `gmbh`.
    LegalForm,
}

impl WordClass {
    /// The class of a normalised word.
    pub(crate) fn of(word: &str) -> Self {
        let in_table = |table: &[&str]| table.contains(&word);
        // The longest word of the tables has nine letters, and most words of names are looked up in vain.
        match word.len() {
            1 if !in_table(PARTICLES) => Self::Initial,
            0 | 10.. => Self::Ordinary,
            _ if in_table(LEGAL_FORMS) => Self::LegalForm,
            _ if in_table(PARTICLES) => Self::Particle,
            _ if in_table(TITLES) => Self::Title,
            _ => Self::Ordinary,
        }
    }

    /// The factor on the rarity of a word of this class.
    pub(crate) fn factor(self) -> f32 {
        match self {
            Self::Ordinary => 1.0,
            Self::Initial => 0.5,
            Self::Particle => 0.3,
            Self::Title | Self::LegalForm => 0.15,
        }
    }
}

const LEGAL_FORMS: &[&str] = &[
    "ab", "ad", "ag", "amba", "anstalt", "ao", "aps", "as", "asa", "ast", "bhd", "bv", "bvba", "co", "coop",
    "corp", "cv", "doo", "dooel", "ead", "eg", "eirl", "est", "ev", "fzc", "fzco", "fze", "gbr", "gie",
    "gmbh", "gp", "hf", "inc", "jsc", "kda", "kft", "kg", "kgaa", "kk", "ks", "kt", "lda", "llc", "llp",
    "lp", "ltd", "ltda", "mbh", "nv", "oao", "ojsc", "ood", "ooo", "ou", "oy", "oyj", "pao", "pjsc", "plc",
    "pllc", "psc", "pt", "pte", "pty", "pvt", "qsc", "sa", "sae", "sal", "sapi", "sarl", "sas", "sc", "sca",
    "scs", "sdn", "se", "sicav", "sl", "slu", "snc", "spa", "spolka", "spzoo", "sro", "srl", "sti",
    "stiftung", "tbk", "too", "tov", "ug", "uab", "vof", "wll", "yk", "zao", "zrt",
];

const PARTICLES: &[&str] = &[
    "abd", "abu", "al", "and", "bin", "bint", "d", "da", "das", "de", "del", "della", "dem", "den", "der",
    "des", "di", "do", "dos", "du", "e", "ed", "el", "et", "for", "fur", "ibn", "im", "in", "la", "las",
    "le", "les", "lo", "los", "of", "og", "och", "san", "st", "ter", "the", "und", "van", "ve", "vom", "von",
    "y", "zu", "zum", "zur",
];

const TITLES: &[&str] = &[
    "capt", "col", "dame", "dipl", "don", "dona", "dr", "eng", "frau", "gen", "hadji", "haj", "hajj", "haji",
    "herr", "hon", "ing", "lady", "lord", "lt", "madame", "maj", "miss", "mlle", "mme", "mr", "mrs", "ms",
    "mullah", "prof", "rev", "sayyid", "senor", "senora", "shaikh", "sheikh", "sir",
];

/// Legal forms that are written in more than one word, longest first, and the form they are normalised to.
pub(super) const LEGAL_PHRASES: &[(&[&str], &str)] = &[
    (&["obshchestvo", "s", "ogranichennoy", "otvetstvennostyu"], "ooo"),
    (&["gesellschaft", "mit", "beschrankter", "haftung"], "gmbh"),
    (&["publichnoe", "aktsionernoe", "obshchestvo"], "pao"),
    (&["otkrytoe", "aktsionernoe", "obshchestvo"], "oao"),
    (&["zakrytoe", "aktsionernoe", "obshchestvo"], "zao"),
    (&["public", "limited", "company"], "plc"),
    (&["limited", "liability", "company"], "llc"),
    (&["limited", "liability", "partnership"], "llp"),
    (&["joint", "stock", "company"], "jsc"),
    (&["free", "zone", "establishment"], "fze"),
    (&["societe", "anonyme"], "sa"),
    (&["sociedad", "anonima"], "sa"),
    (&["sociedade", "anonima"], "sa"),
    (&["aktsionernoe", "obshchestvo"], "ao"),
    (&["limited", "partnership"], "lp"),
    (&["anonim", "sirketi"], "as"),
    (&["sp", "z", "oo"], "spzoo"),
];

/// Words of more than one sign in scripts that write no spaces, longest first, in Latin letters: legal forms, and family
/// names of two syllables.
pub(super) const UNSPACED_WORDS: &[(&str, &str)] = &[
    ("有限责任公司", "llc"),
    ("有限責任公司", "llc"),
    ("股份有限公司", "jsc"),
    ("유한책임회사", "llc"),
    ("株式会社", "kk"),
    ("有限公司", "ltd"),
    ("有限会社", "yk"),
    ("合同会社", "llc"),
    ("주식회사", "kk"),
    ("유한회사", "ltd"),
    ("(주)", "kk"),
    ("(株)", "kk"),
    ("公司", "co"),
    ("欧阳", "ouyang"),
    ("歐陽", "ouyang"),
    ("司马", "sima"),
    ("诸葛", "zhuge"),
    ("上官", "shangguan"),
    ("慕容", "murong"),
    ("皇甫", "huangfu"),
];

/// Abbreviations and other spellings of one word, each with the word they are normalised to.
const SAME_WORDS: &[(&str, &str)] = &[
    ("aktiengesellschaft", "ag"),
    ("aktiebolag", "ab"),
    ("aktieselskab", "as"),
    ("besloten", "bv"),
    ("company", "co"),
    ("compania", "co"),
    ("compagnie", "co"),
    ("corporation", "corp"),
    ("corporacion", "corp"),
    ("incorporated", "inc"),
    ("limited", "ltd"),
    ("limitada", "ltda"),
    ("kabushiki", "kk"),
    ("osakeyhtio", "oy"),
    ("private", "pvt"),
    ("berhad", "bhd"),
    ("kompaniya", "co"),
    ("limitid", "ltd"),
    ("mchj", "ooo"),
    ("acad", "academy"),
    ("admin", "administration"),
    ("agric", "agriculture"),
    ("assoc", "association"),
    ("assn", "association"),
    ("bldg", "building"),
    ("bros", "brothers"),
    ("chem", "chemical"),
    ("comm", "commercial"),
    ("constr", "construction"),
    ("ctr", "center"),
    ("centre", "center"),
    ("dept", "department"),
    ("entpr", "enterprises"),
    ("enterprise", "enterprises"),
    ("equip", "equipment"),
    ("gov", "government"),
    ("govt", "government"),
    ("gp", "group"),
    ("grp", "group"),
    ("hldg", "holding"),
    ("hldgs", "holding"),
    ("holdings", "holding"),
    ("imp", "import"),
    ("ind", "industries"),
    ("inds", "industries"),
    ("industry", "industries"),
    ("ins", "insurance"),
    ("int", "international"),
    ("internat", "international"),
    ("intl", "international"),
    ("inv", "investment"),
    ("investments", "investment"),
    ("lab", "laboratories"),
    ("labs", "laboratories"),
    ("laboratory", "laboratories"),
    ("logist", "logistics"),
    ("mach", "machinery"),
    ("mfg", "manufacturing"),
    ("mgmt", "management"),
    ("mgt", "management"),
    ("mktg", "marketing"),
    ("natl", "national"),
    ("org", "organization"),
    ("organisation", "organization"),
    ("petro", "petroleum"),
    ("pharm", "pharmaceutical"),
    ("pharma", "pharmaceutical"),
    ("pharmaceuticals", "pharmaceutical"),
    ("prod", "products"),
    ("ship", "shipping"),
    ("soc", "society"),
    ("svc", "services"),
    ("svcs", "services"),
    ("service", "services"),
    ("sys", "systems"),
    ("system", "systems"),
    ("tech", "technologies"),
    ("technology", "technologies"),
    ("telecom", "telecommunications"),
    ("trad", "trading"),
    ("trdg", "trading"),
    ("trans", "transport"),
    ("transp", "transport"),
    ("univ", "university"),
    ("doktor", "dr"),
    ("doctor", "dr"),
    ("professor", "prof"),
    ("general", "gen"),
    ("colonel", "col"),
    ("captain", "capt"),
    ("major", "maj"),
    ("mister", "mr"),
    ("saint", "st"),
    ("sant", "st"),
    ("ben", "bin"),
    ("el", "al"),
    ("abdul", "abd"),
    ("abdel", "abd"),
    ("abdal", "abd"),
    ("bou", "abu"),
];

/// The spelling under which all spellings of a word are compared: `intl` becomes `international`.
pub(super) fn canonical(word: &str) -> &str {
    SAME_WORDS.iter().find(|(spelling, _)| *spelling == word).map_or(word, |(_, canonical)| canonical)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_canonical_word_is_its_own() {
        for (spelling, word) in SAME_WORDS {
            assert_eq!(canonical(word), *word, "of {spelling}");
        }
    }

    #[test]
    fn the_longest_word_of_the_tables_is_found() {
        for table in [LEGAL_FORMS, PARTICLES, TITLES] {
            for word in table {
                assert!(WordClass::of(word) != WordClass::Ordinary, "{word}");
            }
        }
    }
}
