/** Sample data, made through the public API. Every request has a fixed key, so pressing the button again makes nothing twice. */

import { Failure } from "@pando/client";
import { pando, type Schemas } from "../../api.ts";

const PRODUCTS: Schemas["ProductFields"][] = [
  { name: "Teapot of red clay", price: 48, category: "Kitchen", stockQuantity: 12, tags: ["tea", "clay"], brand: "Aspen & Co", description: "Holds a litre, pours without a drop." },
  { name: "Linen apron", price: 36.5, category: "Kitchen", stockQuantity: 40, tags: ["linen"], brand: "Grove", description: "Washed linen with two deep pockets." },
  { name: "Cast iron pan, 26 cm", price: 64.9, category: "Kitchen", stockQuantity: 7, tags: ["iron"], brand: "Forge", description: "Seasoned, and heavier than it looks." },
  { name: "Walking stick of ash", price: 29, category: "Outdoors", stockQuantity: 25, tags: ["wood"], brand: "Grove", description: "One piece of ash, oiled by hand." },
  { name: "Wool blanket", price: 89, category: "Home", stockQuantity: 3, tags: ["wool"], brand: "Highland", description: "Two metres of undyed wool." },
  { name: "Field notebook", price: 9.5, category: "Stationery", stockQuantity: 180, tags: ["paper"], brand: "Aspen & Co", description: "Stitched, 96 pages, paper that likes fountain pens." },
  { name: "Brass pencil sharpener", price: 14.2, category: "Stationery", stockQuantity: 60, tags: ["brass"], brand: "Forge", description: "Two holes, replaceable blades." },
  { name: "Enamel camping mug", price: 12, category: "Outdoors", stockQuantity: 0, tags: ["enamel"], brand: "Highland", description: "Sits well on a fire. Sold out for the moment." },
];

const CUSTOMERS = ["Amara Okafor", "Bruno Keller", "Chiara Rossi", "Daniel Novak", "Elif Yılmaz", "Finn Larsen"];

// The description of the API says that values of `metadata` are objects, though numbers are meant.
const BUSINESSES = [
  { business_name: "Müller GmbH", business_address: "Hauptstrasse 1, 3011 Bern", industry: "retail", country: "CH", phone: "+41 44 668 18 00", email: "info@mueller.example", website: "https://mueller.example", metadata: { annual_revenue: 1_200_000, employee_count: 12, years_in_business: 9 } },
  { business_name: "Fast Cash 24", business_address: "Somewhere, Tehran", industry: "financial", country: "IR" },
  { business_name: "Quiet Meadow Bakery", business_address: "Mill Lane 4, Oxford OX1 2JD", industry: "retail", country: "GB", website: "https://quietmeadow.example", metadata: { annual_revenue: 310_000, employee_count: 5, years_in_business: 3 } },
] as unknown as Schemas["AssessmentRequest"][];

/** Names the kind of a thing and its place in the list. */
const key = (kind: string, index: number) => `console-sample-${kind}-${index}`;

export async function makeSamples() {
  await all(PRODUCTS, (body, index) => pando.post("/api/products", { body, key: key("product", index) }));
  await all(CUSTOMERS, (name, index) => {
    const email = `${name.toLowerCase().normalize("NFKD").replace(/ı/g, "i").replace(/[^a-z ]/g, "").replace(/ /g, ".")}@example.org`;
    return pando.post("/api/v1/customers", { body: { name, email, phone: `+4144668180${index}` }, key: key("customer", index) });
  });
  await all(BUSINESSES, (body, index) => pando.post("/api/v1/assess", { body, key: key("assessment", index) }));
  return { products: PRODUCTS.length, customers: CUSTOMERS.length, assessments: BUSINESSES.length };
}

/** One after the other. A thing that is there already, from before its key was forgotten, is as good. */
async function all<T>(items: readonly T[], make: (item: T, index: number) => Promise<unknown>) {
  for (const [index, item] of items.entries()) {
    await make(item, index).catch((error: unknown) => {
      if (!(error instanceof Failure && (error.status === 409 || error.status === 422))) throw error;
    });
  }
}
