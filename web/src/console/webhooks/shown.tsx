/** How states of webhooks and deliveries look. */

import type { Schemas } from "../../api.ts";
import { Badge, type Tone } from "../../ui/display.tsx";

const WEBHOOKS: Record<Schemas["WebhookStatus"], Tone | undefined> = { active: "good", paused: "warn", inactive: undefined, disabled: "bad" };
const DELIVERIES: Record<Schemas["DeliveryStatus"], Tone> = { delivered: "good", pending: "info", dead: "bad" };

export function WebhookState({ status }: { status: Schemas["WebhookStatus"] }) {
  return <Badge tone={WEBHOOKS[status]}>{status}</Badge>;
}

export function DeliveryState({ status }: { status: Schemas["DeliveryStatus"] }) {
  return <Badge tone={DELIVERIES[status]}>{status}</Badge>;
}
