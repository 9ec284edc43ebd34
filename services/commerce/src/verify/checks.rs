//! The rules of the books. Each statement reads its tables once, in the order of an index.

use pando_service::prelude::*;

use super::Check;

/// Every rule.
pub(crate) const CHECKS: &[Check] = &[
    Check {
        name: "ledger_has_no_gap",
        rule: "a movement begins with the numbers at which the one before it ended",
        find: Query::scan(
            "commerce.verify_ledger",
            "select tenant, product_id, 'the movement to version ' || version || ' begins with ' || available_before || ' and ' \
             || reserved_before || ' units, and the one before it ended with ' || last_available || ' and ' || last_reserved \
             from (select tenant, product_id, version, available_before, reserved_before, \
                   lag(available_after, 1, cast(0 as bigint)) over ledger as last_available, \
                   lag(reserved_after, 1, cast(0 as bigint)) over ledger as last_reserved from commerce_movements \
                   window ledger as (partition by tenant, product_id order by version)) as followed \
             where available_before <> last_available or reserved_before <> last_reserved limit $1",
        ),
    },
    Check {
        name: "stock_is_the_end_of_its_ledger",
        rule: "the units of a product are those after its last movement",
        find: Query::scan(
            "commerce.verify_stock",
            "select s.tenant, s.product_id, 'the stock says ' || s.available || ' and ' || s.reserved || ', the ledger ' \
             || coalesce(m.available_after, 0) || ' and ' || coalesce(m.reserved_after, 0) from commerce_stock s \
             left join commerce_movements m on m.tenant = s.tenant and m.product_id = s.product_id and m.version = \
                 (select max(l.version) from commerce_movements l where l.tenant = s.tenant and l.product_id = s.product_id) \
             where s.available <> coalesce(m.available_after, 0) or s.reserved <> coalesce(m.reserved_after, 0) limit $1",
        ),
    },
    Check {
        name: "reserved_units_have_reservations",
        rule: "the reserved units of a product are those of its reservations",
        find: Query::scan(
            "commerce.verify_reserved",
            "select s.tenant, s.product_id, 'the stock says ' || s.reserved || ', its reservations ' || coalesce(kept.units, 0) \
             from commerce_stock s left join (select l.tenant, l.product_id, cast(sum(l.quantity) as bigint) as units \
                 from commerce_reservations r join commerce_reservation_lines l on l.reservation_id = r.id and l.tenant = r.tenant \
                 where r.status = 'RESERVED' group by l.tenant, l.product_id) as kept \
             on kept.tenant = s.tenant and kept.product_id = s.product_id \
             where s.reserved <> coalesce(kept.units, 0) limit $1",
        ),
    },
    Check {
        name: "price_of_order_is_its_lines",
        rule: "the price of an order is the sum of its lines",
        find: Query::scan(
            "commerce.verify_totals",
            "select o.tenant, o.id, 'the order says ' || o.total_minor || ', its lines ' || coalesce(l.total, 0) \
             from commerce_orders o left join (select tenant, order_id, cast(sum(price_minor * quantity) as bigint) as total \
                 from commerce_order_lines group by tenant, order_id) as l on l.tenant = o.tenant and l.order_id = o.id \
             where o.total_minor <> coalesce(l.total, 0) limit $1",
        ),
    },
    Check {
        name: "paid_orders_have_one_payment",
        rule: "a paid order has one payment of its price, and no other order has money",
        find: Query::scan(
            "commerce.verify_payments",
            "select o.tenant, o.id, 'the order is ' || o.status || ' and costs ' || o.total_minor || ', its payments are ' \
             || coalesce(p.payments, 0) || ' of ' || coalesce(p.money, 0) \
             from commerce_orders o left join (select tenant, order_id, count(*) as payments, \
                 cast(sum(amount_minor) as bigint) as money from commerce_payments \
                 where status in ('CAPTURED', 'PARTIALLY_REFUNDED', 'REFUNDED') and not stray group by tenant, order_id) as p \
             on p.tenant = o.tenant and p.order_id = o.id \
             where (o.status in ('CONFIRMED', 'PROCESSING', 'SHIPPED', 'DELIVERED', 'REFUNDED') \
                    and (coalesce(p.payments, 0) <> 1 or coalesce(p.money, 0) <> o.total_minor)) \
                or (o.status in ('PENDING', 'PENDING_PAYMENT') and coalesce(p.payments, 0) <> 0) limit $1",
        ),
    },
    Check {
        name: "units_of_orders_are_right",
        rule: "a paid order has sold units, a waiting one at most reserved ones, and one that was given up before it was paid none",
        find: Query::scan(
            "commerce.verify_units",
            "select o.tenant, o.id, 'the order is ' || o.status || ', its units are ' || coalesce(r.status, 'nowhere') \
             from commerce_orders o left join commerce_reservations r \
             on r.tenant = o.tenant and r.order_id = o.id and r.status in ('RESERVED', 'CONFIRMED') \
             where (o.status in ('CONFIRMED', 'PROCESSING', 'SHIPPED', 'DELIVERED') and coalesce(r.status, '') <> 'CONFIRMED') \
                or (o.status in ('PENDING', 'PENDING_PAYMENT') and r.status = 'CONFIRMED') \
                or (o.status in ('CANCELLED', 'REFUNDED') and r.status = 'RESERVED') limit $1",
        ),
    },
    Check {
        name: "charged_orders_keep_their_units",
        rule: "an order whose payment is on its way has its units",
        find: Query::scan(
            "commerce.verify_kept",
            "select p.tenant, p.order_id, 'a payment of ' || p.amount_minor || ' is on its way' from commerce_payments p \
             left join commerce_reservations r on r.tenant = p.tenant and r.order_id = p.order_id and r.status = 'RESERVED' \
             where p.status = 'PENDING' and r.id is null limit $1",
        ),
    },
    Check {
        name: "cancelled_orders_give_money_back",
        rule: "the money of an order that was given up, and money that no order wanted, goes back whole",
        find: Query::scan(
            "commerce.verify_money_back",
            "select p.tenant, p.order_id, 'of ' || p.amount_minor || ' only ' || p.refunded_minor || ' went back or are on their way' \
             from commerce_payments p join commerce_orders o on o.tenant = p.tenant and o.id = p.order_id \
             where p.status in ('CAPTURED', 'PARTIALLY_REFUNDED', 'REFUNDED') and p.refunded_minor <> p.amount_minor \
               and (p.stray or o.status in ('CANCELLED', 'REFUNDED')) \
               and not exists (select 1 from commerce_refunds f where f.tenant = p.tenant and f.payment_id = p.id \
                               and f.status = 'FAILED') limit $1",
        ),
    },
    Check {
        name: "refunds_add_up",
        rule: "the refunds of a payment add up to what it says, and never to more than its amount",
        find: Query::scan(
            "commerce.verify_refunds",
            "select p.tenant, p.id, 'the payment says ' || p.refunded_minor || ' of ' || p.amount_minor || ', its refunds ' \
             || coalesce(f.all_of_them, 0) || ', of which ' || coalesce(f.completed, 0) || ' went back, and it is ' || p.status \
             from commerce_payments p left join (select tenant, payment_id, \
                 cast(sum(case when status <> 'FAILED' then amount_minor else 0 end) as bigint) as all_of_them, \
                 cast(sum(case when status = 'COMPLETED' then amount_minor else 0 end) as bigint) as completed \
                 from commerce_refunds group by tenant, payment_id) as f on f.tenant = p.tenant and f.payment_id = p.id \
             where p.refunded_minor <> coalesce(f.all_of_them, 0) or p.refunded_minor > p.amount_minor \
                or (p.status = 'REFUNDED') <> (coalesce(f.completed, 0) = p.amount_minor) \
                or (p.status = 'PARTIALLY_REFUNDED') <> (coalesce(f.completed, 0) > 0 and f.completed < p.amount_minor) limit $1",
        ),
    },
    Check {
        name: "history_ends_where_the_order_is",
        rule: "the last state in the history of an order is the one that it has",
        find: Query::scan(
            "commerce.verify_history",
            "select o.tenant, o.id, 'the order is ' || o.status || ', its history ends with ' || coalesce(h.to_status, 'nothing') \
             from commerce_orders o left join commerce_order_history h on h.tenant = o.tenant and h.order_id = o.id and h.version = \
                 (select max(l.version) from commerce_order_history l where l.tenant = o.tenant and l.order_id = o.id) \
             where coalesce(h.to_status, '') <> o.status limit $1",
        ),
    },
    Check {
        name: "carts_count_their_units",
        rule: "the units of a cart are those of its lines",
        find: Query::scan(
            "commerce.verify_carts",
            "select c.tenant, c.id, 'the cart says ' || c.units || ', its lines ' || coalesce(l.units, 0) from commerce_carts c \
             left join (select tenant, cart_id, cast(sum(quantity) as bigint) as units from commerce_cart_lines \
                 group by tenant, cart_id) as l on l.tenant = c.tenant and l.cart_id = c.id \
             where c.units <> coalesce(l.units, 0) limit $1",
        ),
    },
];
