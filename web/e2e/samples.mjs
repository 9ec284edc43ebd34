// Data for the pages, made through the API.
const PRODUCTS = [
  ["Teapot of red clay", 48, "Kitchen", 12, "Aspen & Co", "Holds a litre, pours without a drop."],
  ["Linen apron", 36.5, "Kitchen", 40, "Grove", "Washed linen with two deep pockets."],
  ["Cast iron pan, 26 cm", 64.9, "Kitchen", 7, "Forge", "Seasoned, and heavier than it looks."],
  ["Walking stick of ash", 29, "Outdoors", 25, "Grove", "One piece of ash, oiled by hand."],
  ["Wool blanket", 89, "Home", 3, "Highland", "Two metres of undyed wool."],
  ["Field notebook", 9.5, "Stationery", 180, "Aspen & Co", "Stitched, 96 pages, paper that likes fountain pens."],
  ["Brass pencil sharpener", 14.2, "Stationery", 60, "Forge", "Two holes, replaceable blades."],
  ["Enamel camping mug", 12, "Outdoors", 0, "Highland", "Sits well on a fire."],
];

export async function makeSamples(server) {
  server.run("seed", "--profiles", "200");
  const products = [];
  for (const [name, price, category, stockQuantity, brand, description] of PRODUCTS) {
    products.push((await server.api("POST", "/api/products", { name, price, category, stockQuantity, brand, description, tags: [category.toLowerCase()] })).data);
  }
  for (const name of ["Amara Okafor", "Bruno Keller", "Chiara Rossi", "Daniel Novak"]) {
    await server.api("POST", "/api/v1/customers", { name, email: `${name.toLowerCase().replace(" ", ".")}@example.org`, phone: "+41446681800" });
  }
  const [customer] = (await server.api("GET", "/api/v1/customers?limit=1")).customers;
  await server.api("PATCH", `/api/v1/customers/${customer.id}`, { name: "Daniel Novák" });
  const assessment = await server.api("POST", "/api/v1/assess", {
    business_name: "Müller GmbH", business_address: "Hauptstrasse 1, 3011 Bern", industry: "retail", country: "CH", phone: "+41 44 668 18 00",
    email: "info@mueller.example", website: "https://mueller.example", metadata: { annual_revenue: 1_200_000, employee_count: 12, years_in_business: 9 },
  });
  await server.api("POST", "/api/v1/assess", { business_name: "Fast Cash 24", business_address: "Somewhere, Tehran", industry: "financial", country: "IR" });
  const list = await server.api("POST", "/api/v1/lists", { name: "bad payers", kind: "block" });
  await server.api("POST", `/api/v1/lists/${list.id}/entries`, [{ id: "1", name: "Blocked Trading GmbH", countries: ["CH"] }]);
  // An address at which nothing listens: its deliveries fail.
  const webhook = await server.api("POST", "/api/v1/webhooks", { name: "warehouse", url: "http://127.0.0.1:9/", events: ["profile_created"], retry_policy: { max_retries: 0 } });
  await server.api("PUT", "/api/v1/schedules/nightly-export", { task_type: "export", cron: "0 3 * * *", data: {} });
  const profile = await server.api("POST", "/api/v1/profiles", { name: "Ada Lovelace", email: "ada.lovelace@example.org", bio: "Wrote the first program." });
  await server.api("PUT", `/api/v1/profiles/${profile.id}`, { bio: "Wrote the first program, for a machine that was never built." });
  const bought = await server.api("POST", "/api/orders", {
    items: [{ productId: products[3].id, quantity: 1 }], idempotencyKey: "sample-order", shippingAddress: "1 Elm Street, Springfield",
    paymentMethod: { type: "CREDIT_CARD", token: "tok_ok" },
  });
  const cases = (await server.api("GET", "/api/v1/cases")).cases;
  return { products, customer, assessment, webhook, profile, case: cases[0], order: bought.orderId };
}

/** Every page, by a name for its picture. */
export function places(made) {
  return {
    home: "/",
    profiles: "/profiles",
    profile: `/profiles/${made.profile.id}`,
    customers: "/customers",
    customer: `/customers/${made.customer.id}`,
    "customers-import": "/customers/import",
    risk: "/risk",
    assessment: `/risk/assessments/${made.assessment.id}`,
    cases: "/risk/cases",
    case: `/risk/cases/${made.case.id}`,
    lists: "/risk/lists",
    rules: "/risk/rules",
    commerce: "/commerce",
    product: `/commerce/${made.products[0].id}`,
    webhooks: "/webhooks",
    webhook: `/webhooks/${made.webhook.webhook_id}`,
    jobs: "/jobs",
    "dead-letters": "/jobs/dead",
    tasks: "/jobs/tasks",
    schedules: "/jobs/schedules",
    caches: "/caches",
    "no-such-page": "/profiles/a/b",
    shop: "/shop",
    "shop-product": `/shop/products/${made.products[4].id}`,
    "shop-cart": "/shop/cart",
    "shop-checkout": "/shop/checkout",
    "shop-orders": "/shop/orders",
    "shop-order": `/shop/orders/${made.order}`,
  };
}
