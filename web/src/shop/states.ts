/** The states of an order, in words for its buyer. */

import type { Schemas } from "../api.ts";
import type { Tone } from "../ui/display.tsx";

interface State {
  label: string;
  words: string;
  tone?: Tone;
  /** Whether it becomes another one by itself, soon. */
  moves?: boolean;
}

export const STATES: Record<Schemas["OrderStatus"], State> = {
  PENDING: { label: "Placed", words: "Everything is reserved for you. The payment is next.", tone: "info", moves: true },
  PENDING_PAYMENT: { label: "Payment on its way", words: "Your bank has not answered yet. Nothing is charged twice; this page changes by itself.", tone: "warn", moves: true },
  CONFIRMED: { label: "Paid", words: "Thank you. It will be packed soon.", tone: "good" },
  PROCESSING: { label: "Being packed", words: "Somebody packs your order.", tone: "info" },
  SHIPPED: { label: "On its way", words: "Your parcel has left.", tone: "info" },
  DELIVERED: { label: "Delivered", words: "Your parcel has arrived.", tone: "good" },
  CANCELLED: { label: "Cancelled", words: "The order was given up. If it was paid, the money is on its way back.", tone: "bad", moves: true },
  REFUNDED: { label: "Refunded", words: "The order was given up, and the money is back." },
};
