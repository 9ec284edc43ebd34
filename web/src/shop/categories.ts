/** The categories of what is offered. */

import { useQuery } from "@tanstack/react-query";
import { pando } from "../api.ts";

/** The API has no list of categories yet: those of the first hundred products are shown. */
export function useCategories() {
  return useQuery({
    queryKey: ["categories"],
    staleTime: 60_000,
    queryFn: async ({ signal }) => {
      const { data } = await pando.get("/api/products", { query: { size: 100 }, signal });
      return [...new Set(data.data.map((it) => it.category))].sort();
    },
  });
}
