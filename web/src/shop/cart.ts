/** The cart: shown as it will be at once, and as the server says a moment later. */

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { newKey } from "@pando/client";
import { pando, type Schemas } from "../api.ts";

export type Cart = Schemas["One_Cart"]["data"];
type Line = Cart["items"][number];

const KEY = ["cart"];

export function useCart() {
  return useQuery({ queryKey: KEY, queryFn: async ({ signal }) => (await pando.get("/api/cart", { signal })).data.data });
}

/** The cart with another quantity of one line; none takes it away. The server has the last word about prices. */
export function withQuantity(cart: Cart, id: string, quantity: number): Cart {
  const items = cart.items.flatMap((line) => {
    if (line.id !== id) return [line];
    return quantity > 0 ? [{ ...line, quantity, subtotal: round(line.price * quantity) }] : [];
  });
  const counted = items.filter((line) => line.status === "AVAILABLE" || line.status === "INSUFFICIENT_STOCK");
  return {
    ...cart,
    items,
    itemCount: items.length,
    totalItems: items.reduce((sum, line) => sum + line.quantity, 0),
    totalAmount: round(counted.reduce((sum, line) => sum + line.subtotal, 0)),
  };
}

/** Sums of amounts with up to three digits behind the point, without the errors of binary fractions. */
function round(amount: number): number {
  return Math.round(amount * 1000) / 1000;
}

type Change = { line: Pick<Line, "id">; quantity: number; key: string };

export function useChangeLine() {
  const queries = useQueryClient();
  const change = useMutation({
    mutationFn: async ({ line, quantity, key }: Change) => {
      const path = { itemId: line.id };
      if (quantity > 0) await pando.put("/api/cart/items/{itemId}", { path, body: { quantity }, key });
      else await pando.delete("/api/cart/items/{itemId}", { path, key });
    },
    onMutate: async ({ line, quantity }) => {
      await queries.cancelQueries({ queryKey: KEY });
      const before = queries.getQueryData<Cart>(KEY);
      if (before) queries.setQueryData(KEY, withQuantity(before, line.id, quantity));
      return { before };
    },
    // What was shown too early is taken back.
    onError: (_error, _change, context) => queries.setQueryData(KEY, context?.before),
    onSettled: () => queries.invalidateQueries({ queryKey: KEY }),
  });
  return { ...change, change: (line: Line, quantity: number) => change.mutate({ line, quantity, key: newKey() }) };
}

export function useAddToCart() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async ({ productId, quantity, key }: { productId: string; quantity: number; key: string }) => {
      await pando.post("/api/cart/items", { body: { productId, quantity }, key });
    },
    onMutate: async ({ quantity }) => {
      await queries.cancelQueries({ queryKey: KEY });
      const before = queries.getQueryData<Cart>(KEY);
      if (before) queries.setQueryData(KEY, { ...before, totalItems: before.totalItems + quantity });
      return { before };
    },
    onError: (_error, _add, context) => queries.setQueryData(KEY, context?.before),
    onSettled: () => queries.invalidateQueries({ queryKey: KEY }),
  });
}
