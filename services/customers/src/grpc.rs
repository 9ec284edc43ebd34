//! The operations over gRPC.

mod changes;

use std::pin::pin;

use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt as _, TryStreamExt as _};
use pando_grpc::{BadDescriptor, GrpcRoutes, GrpcServices, Request, Response, Status, caller};
use pando_http::decode_cursor;
use pando_service::Class;
use pando_service::grpc::{key_of, of_stream, write_call, written};
use pando_service::prelude::*;
use pando_wire::Raw;
use prost::{DecodeError, Message as _};
use tonic::codec::CompressionEncoding;
use tonic::{Streaming, async_trait};

use crate::domain::content::{BATCH_CREATE, CREATE, DELETE, UPDATE, content};
use crate::domain::customer::{Given, moment};
use crate::list_customers::{LIMIT, bad_token, check_token};
use crate::messages::customer_service_server::{CustomerService, CustomerServiceServer};
use crate::messages::{
    BatchCreateRequest, BatchCreateResponse, CreateRequest, Customer, DESCRIPTOR, DeleteRequest,
    DeleteResponse, ExportRequest, ExportResponse, GetRequest, ImportRequest, ImportResponse,
    ListChangesRequest, ListChangesResponse, ListRequest, ListResponse, Refused, UpdateRequest, WatchRequest,
    WatchResponse,
};
use crate::{Created, Customers, ExportPage, ImportItem, Imported, Question, Update, Watched, WatchedChange};

/// How large a message may be. The edge refuses larger ones of most methods before they are read.
const MESSAGE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The methods, by both names of the service.
pub(crate) fn routes(customers: &Customers) -> Result<GrpcRoutes, BadDescriptor> {
    let service = [CompressionEncoding::Gzip, CompressionEncoding::Zstd].into_iter().fold(
        CustomerServiceServer::new(customers.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX),
        |service, encoding| service.accept_compressed(encoding).send_compressed(encoding),
    );
    let services = GrpcServices::default().add(DESCRIPTOR, service.clone())?;
    Ok(services.add_as("customer.v1.CustomerService", DESCRIPTOR, service)?.into_routes())
}

#[async_trait]
impl CustomerService for Customers {
    async fn create(&self, request: Request<CreateRequest>) -> Result<Response<Raw<Customer>>, Status> {
        let given = given(request.get_ref().customer.as_ref())?;
        let call = write_call(&request, CREATE, |_| content(&given))?;
        Ok(small(written(self.create_customer(&call, given).await?, |customer| customer.message())))
    }

    async fn get(&self, request: Request<GetRequest>) -> Result<Response<Raw<Customer>>, Status> {
        let call = caller(&request)?;
        let found = self.get_customer(&call, &request.get_ref().id).await?;
        Ok(small(Response::new(Raw::from_bytes(found.bytes().clone()))))
    }

    async fn list(&self, request: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
        let call = caller(&request)?;
        let page = self.list_customers(&call, question(request.into_inner())?).await?;
        Ok(Response::new(ListResponse::decode(page.bytes().clone()).map_err(broken)?))
    }

    async fn list_changes(
        &self,
        request: Request<ListChangesRequest>,
    ) -> Result<Response<ListChangesResponse>, Status> {
        let call = caller(&request)?;
        Ok(Response::new(changes::list_changes(self, &call, request.get_ref()).await?))
    }

    async fn update(&self, request: Request<UpdateRequest>) -> Result<Response<Raw<Customer>>, Status> {
        let UpdateRequest { customer, update_mask } = request.get_ref();
        let mask = update_mask.as_ref().map(|mask| mask.paths.clone()).unwrap_or_default();
        let given = given(customer.as_ref())?;
        let (expected, update) = (expected(given.version), Update::new(given, mask));
        let call = write_call(&request, UPDATE, |_| content(&(&update, &expected)))?;
        let done = self.update_customer(&call, &expected, update).await?;
        Ok(small(written(done, |customer| customer.message())))
    }

    async fn delete(&self, request: Request<DeleteRequest>) -> Result<Response<DeleteResponse>, Status> {
        let DeleteRequest { id, version } = request.get_ref();
        let expected = expected(*version);
        let call = write_call(&request, DELETE, |_| content(&(id, &expected)))?;
        Ok(written(self.delete_customer(&call, &expected, id).await?, |()| DeleteResponse {}))
    }

    async fn import(
        &self,
        request: Request<Streaming<ImportRequest>>,
    ) -> Result<Response<ImportResponse>, Status> {
        let (call, key) = (caller(&request)?, key_of(&request)?);
        // If the stream breaks, customers that were created before stay, and the caller is told.
        let messages = request.into_inner().map_err(of_stream);
        let customers =
            messages.map_ok(|message| stream::iter(message.customers).map(Ok::<_, Fault>)).try_flatten();
        let items = customers.enumerate().map(|(place, customer)| {
            let given = Given::message(&customer?).map_err(malformed)?;
            Ok(ImportItem { place, given: Ok(given) })
        });
        let imported = self.import_customers(&call, key.as_deref(), pin!(items)).await?;
        Ok(Response::new(ImportResponse::from(imported)))
    }

    type ExportStream = BoxStream<'static, Result<ExportResponse, Status>>;

    async fn export(&self, request: Request<ExportRequest>) -> Result<Response<Self::ExportStream>, Status> {
        let call = caller(&request)?;
        let after = position(&request.get_ref().page_token)?;
        check_token(&call, after.as_ref())?;
        let pages = self.export_customers(&call, after).map(|page| {
            let ExportPage { customers, next } = page?;
            let page_token = next.as_ref().map(encode_cursor).transpose().map_err(Fault::from)?;
            let customers = customers.iter().map(|customer| customer.message()).collect();
            Ok(ExportResponse { customers, page_token: page_token.unwrap_or_default() })
        });
        Ok(Response::new(pages.boxed()))
    }

    type WatchStream = BoxStream<'static, Result<WatchResponse, Status>>;

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let call = caller(&request)?;
        let after = self.asked_position(&request.get_ref().position)?;
        let (changes, customers) = (self.watch_customers(&call, after).await?, self.clone());
        let answers = changes.map(move |watched| {
            let Watched { position, change } = watched?;
            Ok(watch_response(customers.shown_position(position)?, change))
        });
        Ok(Response::new(answers.boxed()))
    }

    async fn batch_create(
        &self,
        request: Request<BatchCreateRequest>,
    ) -> Result<Response<BatchCreateResponse>, Status> {
        let BatchCreateRequest { customers, partial } = request.get_ref();
        let batch: Vec<Given> =
            customers.iter().map(Given::message).collect::<Result<_, _>>().map_err(broken)?;
        let call = write_call(&request, BATCH_CREATE, |_| content(&(&batch, partial)))?;
        let done = self.batch_create(&call, batch, *partial).await?;
        Ok(written(done, BatchCreateResponse::from))
    }
}

impl From<Created> for BatchCreateResponse {
    fn from(created: Created) -> Self {
        let refused = created.refused.into_iter().map(Refused::from).collect();
        Self { refused, created_at: Some(moment(created.created_at)), ids: created.ids }
    }
}

impl From<Imported> for ImportResponse {
    fn from(imported: Imported) -> Self {
        let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let problems = imported.problems.into_iter().map(Refused::from).collect();
        Self { created: count(imported.created), refused: count(imported.refused), problems }
    }
}

impl From<crate::Refused> for Refused {
    fn from(refused: crate::Refused) -> Self {
        let index = i64::try_from(refused.index).unwrap_or(i64::MAX);
        Self { index, field: refused.field, message: refused.message }
    }
}

fn watch_response(position: String, change: Option<WatchedChange>) -> WatchResponse {
    match change {
        None => WatchResponse { position, ..WatchResponse::default() },
        Some(WatchedChange { kind, id, version }) => WatchResponse { position, change: kind, id, version },
    }
}

fn given(customer: Option<&Raw<Customer>>) -> Result<Given, Status> {
    customer.map(Given::message).transpose().map(Option::unwrap_or_default).map_err(broken)
}

fn question(request: ListRequest) -> Result<Question, Fault> {
    let ListRequest { limit, offset, page_token, email, phone } = request;
    // Negative numbers are above every limit.
    let number = |number: i32| usize::try_from(number).unwrap_or(usize::MAX);
    let after = position(&page_token)?;
    let limit = if limit == 0 { LIMIT.0 } else { number(limit) };
    Ok(Question { limit, offset: number(offset), after, email, phone })
}

/// The place that a page token stands for.
fn position(page_token: &str) -> Result<Option<PageEnd>, Fault> {
    (!page_token.is_empty()).then(|| decode_cursor(page_token).map_err(|_| bad_token())).transpose()
}

/// An answer that no compression makes smaller by more than it costs.
fn small<M>(mut response: Response<M>) -> Response<M> {
    response.disable_compression();
    response
}

/// The version that a change is meant for, if it names one.
fn expected(version: i64) -> Expected {
    if version == 0 { Expected::Any } else { Expected::OneOf(vec![version]) }
}

fn malformed(error: DecodeError) -> Fault {
    Fault::new(Class::Malformed, format!("the message cannot be read: {error}"))
}

fn broken(error: DecodeError) -> Status {
    malformed(error).into()
}
