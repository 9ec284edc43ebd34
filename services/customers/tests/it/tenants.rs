//! Two tenants with the same ids, addresses and keys: nothing that one does is seen by the other.

use std::sync::Arc;

use pando_customers::{Given, Question, Update};
use pando_resilience::{Call, Repeat, Tenant};
use pando_service::{Class, Expected};

use crate::{call, each_house, given, is};

fn keyed(tenant: &str, key: &str) -> Call {
    let repeat = Repeat { operation: "test".to_owned(), key: key.to_owned(), hash: [7; 32] };
    Call { repeat: Some(Arc::new(repeat)), ..call().of_tenant(Tenant::stored(tenant)) }
}

#[tokio::test]
async fn tenants_with_the_same_ids_and_keys_are_apart() {
    each_house(async |house| {
        let customers = &house.customers;
        for tenant in ["", "oak", "elm"] {
            let given = Given { id: "1".into(), phone: "+41 44 668 18 00".into(), ..given("Ann") };
            let made = customers.create_customer(&keyed(tenant, "k"), given).await.unwrap();
            assert!(!made.replayed, "{tenant:?}");
            let call = call().of_tenant(Tenant::stored(tenant));
            let batch = vec![Given { id: "2".into(), ..crate::given("Bob") }];
            assert_eq!(customers.batch_create(&call, batch, false).await.unwrap().value.ids, ["2"]);
        }
        let (oak, elm) = (call().of_tenant(Tenant::stored("oak")), call().of_tenant(Tenant::stored("elm")));
        let change = Update::new(
            Given { id: "1".into(), name: "Cyd".into(), ..Given::default() },
            vec!["name".into()],
        );
        customers.update_customer(&oak, &Expected::Any, change).await.unwrap();
        customers.delete_customer(&elm, &Expected::Any, "2").await.unwrap();
        let page = async |call: &Call| {
            let question = Question { limit: 9, ..Question::default() };
            let page = customers.list_customers(call, question).await.unwrap().bytes().clone();
            ["Ann", "Bob", "Cyd"].map(|name| page.windows(3).any(|text| text == name.as_bytes()))
        };
        for _ in 0..2 {
            assert_eq!(page(&call()).await, [true, true, false]);
            assert_eq!(page(&oak).await, [false, true, true]);
            assert_eq!(page(&elm).await, [true, false, false]);
        }
        assert!(is(&customers.get_customer(&elm, "2").await, Class::NotFound));
        assert!(customers.get_customer(&oak, "2").await.is_ok());
        let phone = Question { limit: 9, phone: "+41446681800".into(), ..Question::default() };
        let other = call().of_tenant(Tenant::stored("ash"));
        assert!(customers.list_customers(&other, phone).await.unwrap().bytes().is_empty());
    })
    .await;
}
