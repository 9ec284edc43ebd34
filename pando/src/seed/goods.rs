//! Invented products of a general store, in a tree of categories.

use serde_json::{Map, Value, json};

use super::dice::Dice;

/// A kind of product: its name, its category, and its lowest and highest price in whole units.
type Kind = (&'static str, &'static str, u64, u64);

/// Each category with the one above it, which comes before it.
pub(super) const CATEGORIES: [(&str, Option<&str>); 31] = [
    ("Home", None),
    ("Kitchen", Some("Home")),
    ("Tea and coffee", Some("Kitchen")),
    ("Cookware", Some("Kitchen")),
    ("Tableware", Some("Kitchen")),
    ("Furniture", Some("Home")),
    ("Lighting", Some("Home")),
    ("Bedding", Some("Home")),
    ("Electronics", None),
    ("Audio", Some("Electronics")),
    ("Headphones", Some("Audio")),
    ("Loudspeakers", Some("Audio")),
    ("Computers", Some("Electronics")),
    ("Keyboards", Some("Computers")),
    ("Screens", Some("Computers")),
    ("Garden", None),
    ("Garden tools", Some("Garden")),
    ("Pots and planters", Some("Garden")),
    ("Outdoor", None),
    ("Camping", Some("Outdoor")),
    ("Cycling", Some("Outdoor")),
    ("Hiking", Some("Outdoor")),
    ("Clothing", None),
    ("Coats", Some("Clothing")),
    ("Shoes", Some("Clothing")),
    ("Knitwear", Some("Clothing")),
    ("Books and paper", None),
    ("Notebooks", Some("Books and paper")),
    ("Pens", Some("Books and paper")),
    ("Toys", None),
    ("Board games", Some("Toys")),
];

const KINDS: [Kind; 40] = [
    ("Teapot", "Tea and coffee", 15, 90),
    ("Coffee grinder", "Tea and coffee", 25, 280),
    ("Milk jug", "Tea and coffee", 6, 30),
    ("Frying pan", "Cookware", 18, 160),
    ("Stock pot", "Cookware", 25, 220),
    ("Bread knife", "Cookware", 9, 120),
    ("Dinner plate", "Tableware", 5, 40),
    ("Wine glass", "Tableware", 4, 35),
    ("Salad bowl", "Tableware", 8, 60),
    ("Armchair", "Furniture", 120, 1_400),
    ("Bookcase", "Furniture", 60, 700),
    ("Coffee table", "Furniture", 50, 650),
    ("Desk lamp", "Lighting", 15, 180),
    ("Pendant light", "Lighting", 25, 420),
    ("Duvet", "Bedding", 40, 320),
    ("Pillow", "Bedding", 10, 110),
    ("Headphones", "Headphones", 20, 450),
    ("Earphones", "Headphones", 10, 260),
    ("Loudspeaker", "Loudspeakers", 35, 900),
    ("Soundbar", "Loudspeakers", 80, 1_100),
    ("Keyboard", "Keyboards", 15, 240),
    ("Screen", "Screens", 90, 1_600),
    ("Laptop stand", "Computers", 15, 90),
    ("Rake", "Garden tools", 9, 50),
    ("Pruning shears", "Garden tools", 10, 80),
    ("Watering can", "Garden tools", 8, 45),
    ("Planter", "Pots and planters", 6, 130),
    ("Tent", "Camping", 60, 900),
    ("Sleeping bag", "Camping", 35, 500),
    ("Bicycle light", "Cycling", 8, 120),
    ("Pannier", "Cycling", 25, 180),
    ("Rucksack", "Hiking", 30, 320),
    ("Walking pole", "Hiking", 15, 140),
    ("Raincoat", "Coats", 35, 420),
    ("Walking boots", "Shoes", 50, 340),
    ("Jumper", "Knitwear", 25, 260),
    ("Notebook", "Notebooks", 3, 35),
    ("Fountain pen", "Pens", 12, 390),
    ("Wooden train", "Toys", 10, 120),
    ("Board game", "Board games", 15, 95),
];

const QUALITIES: [&str; 16] = [
    "Light",
    "Sturdy",
    "Small",
    "Large",
    "Quiet",
    "Folding",
    "Classic",
    "Plain",
    "Round",
    "Tall",
    "Slim",
    "Soft",
    "Everyday",
    "Travel",
    "Stackable",
    "Handmade",
];
const MATERIALS: [&str; 14] = [
    "oak",
    "steel",
    "linen",
    "wool",
    "ceramic",
    "glass",
    "bamboo",
    "copper",
    "cotton",
    "cork",
    "leather",
    "aluminium",
    "beech",
    "recycled",
];
const COLOURS: [&str; 12] =
    ["black", "white", "green", "blue", "red", "grey", "sand", "navy", "mustard", "rust", "olive", "silver"];
const BRANDS: [&str; 40] = [
    "Alder & Finch",
    "Anvil Street",
    "Brookmill",
    "Calder Works",
    "Cobble Lane",
    "Dovetail",
    "Eastwick",
    "Fernhill",
    "Foundry 9",
    "Greyfriars",
    "Halden",
    "Hearthside",
    "Ingram",
    "Juniper Row",
    "Kestrel",
    "Kiln House",
    "Lantern Hill",
    "Larkspur",
    "Mallow",
    "Millstone",
    "Norrland",
    "Oakham",
    "Orchard Yard",
    "Pebble",
    "Quayside",
    "Redcliff",
    "Rowan",
    "Saltmarsh",
    "Silverbirch",
    "Stag & Oak",
    "Tamarind",
    "Thistle",
    "Tidewater",
    "Umber",
    "Vantage",
    "Wayfarer",
    "Whitestone",
    "Wren",
    "Yarrow",
    "Zephyr",
];
const PRAISE: [&str; 8] = [
    "Made to be repaired: every part can be bought.",
    "Comes in a box without plastic.",
    "Tested for ten years of daily use.",
    "Designed for small rooms.",
    "A present that nobody gives back.",
    "Washes well and dries quickly.",
    "Weighs less than it looks.",
    "With a guarantee of five years.",
];
const TAGS: [&str; 10] =
    ["new", "sale", "gift", "repairable", "organic", "bestseller", "last pieces", "vegan", "local", "award"];

/// The product at place `index` of the shop that grows from `seed`: always the same one.
pub(super) fn product(seed: u64, index: u64) -> Map<String, Value> {
    let mut dice = Dice::new(seed, index);
    let (kind, category, low, high) = *dice.pick(&KINDS);
    let (quality, material, colour) = (*dice.pick(&QUALITIES), *dice.pick(&MATERIALS), *dice.pick(&COLOURS));
    let brand = *dice.pick(&BRANDS);
    // Cheap ones are more common than dear ones.
    let share = dice.below(1_000).min(dice.below(1_000));
    let whole = low + (high - low) * share / 1_000;
    let cents = *dice.pick(&["00", "49", "90", "95", "99"]);
    let stock = match dice.below(20) {
        0 | 1 => 0,
        2 | 3 => 1 + dice.below(9),
        _ => 10 + dice.below(400),
    };
    let mut tags = vec![colour, material];
    tags.extend((0..dice.below(3)).map(|_| *dice.pick(&TAGS)));
    tags.dedup();
    let description = format!(
        "{quality} {} of {material} in {colour}. {} {}",
        kind.to_lowercase(),
        dice.pick(&PRAISE),
        dice.pick(&PRAISE)
    );
    let fields = json!({
        "sku": format!("S{seed}-{index}"),
        "name": format!("{quality} {material} {} {}", kind.to_lowercase(), 100 + index % 900),
        "description": description,
        "price": format!("{whole}.{cents}"),
        "currency": "USD",
        "category": category,
        "stockQuantity": stock,
        "brand": brand,
        "tags": tags,
        "weight": (50 + dice.below(4_000)) as f64 / 1_000.0,
    });
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_shop_is_a_function_of_its_seed() {
        assert_eq!(product(7, 1_234), product(7, 1_234));
        assert_ne!(product(7, 1_234)["sku"], product(8, 1_234)["sku"]);
        let names: BTreeSet<String> =
            (0..20_000).map(|index| product(1, index)["name"].to_string()).collect();
        assert!(names.len() > 19_000, "{}", names.len());
    }

    #[test]
    fn every_kind_has_a_category_and_every_category_comes_after_the_one_above_it() {
        let mut there = BTreeSet::new();
        for (name, above) in CATEGORIES {
            assert!(above.is_none_or(|above| there.contains(above)), "{name}");
            assert!(there.insert(name), "{name}");
        }
        assert!(KINDS.iter().all(|(_, category, low, high)| there.contains(category) && low < high));
    }
}
