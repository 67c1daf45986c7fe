"""The part of Shopify's Admin GraphQL schema that the stand-in speaks, in our own SDL."""

SDL = """
scalar DateTime
scalar Date
scalar Decimal
scalar URL
scalar UnsignedInt64

interface Node { id: ID! }

type Query {
  shop: Shop!
  customer(id: ID!): Customer
  customers(
    first: Int, after: String, last: Int, before: String, reverse: Boolean = false, sortKey: CustomerSortKeys = ID,
    query: String
  ): CustomerConnection!
  customersCount(query: String, limit: Int): Count
  node(id: ID!): Node
  nodes(ids: [ID!]!): [Node]!
  webhookSubscription(id: ID!): WebhookSubscription
  webhookSubscriptions(
    first: Int, after: String, last: Int, before: String, reverse: Boolean = false, query: String,
    sortKey: WebhookSubscriptionSortKeys = CREATED_AT, format: WebhookSubscriptionFormat,
    topics: [WebhookSubscriptionTopic!], uri: String,
    callbackUrl: URL @deprecated(reason: "Use `uri` instead.")
  ): WebhookSubscriptionConnection!
}

type Mutation {
  tagsAdd(id: ID!, tags: [String!]!): TagsAddPayload
  tagsRemove(id: ID!, tags: [String!]!): TagsRemovePayload
  customerEmailMarketingConsentUpdate(
    input: CustomerEmailMarketingConsentUpdateInput!
  ): CustomerEmailMarketingConsentUpdatePayload
  customerSmsMarketingConsentUpdate(
    input: CustomerSmsMarketingConsentUpdateInput!
  ): CustomerSmsMarketingConsentUpdatePayload
  customerRequestDataErasure(customerId: ID!): CustomerRequestDataErasurePayload
  webhookSubscriptionCreate(
    topic: WebhookSubscriptionTopic!, webhookSubscription: WebhookSubscriptionInput!
  ): WebhookSubscriptionCreatePayload
  webhookSubscriptionDelete(id: ID!): WebhookSubscriptionDeletePayload
}

type Shop { id: ID! name: String! email: String! myshopifyDomain: String! currencyCode: String! ianaTimezone: String! }
type Count { count: Int! precision: String! }
type PageInfo { hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String endCursor: String }
type CustomerConnection { edges: [CustomerEdge!]! nodes: [Customer!]! pageInfo: PageInfo! }
type CustomerEdge { cursor: String! node: Customer! }
type MetafieldConnection { edges: [MetafieldEdge!]! nodes: [Metafield!]! pageInfo: PageInfo! }
type MetafieldEdge { cursor: String! node: Metafield! }

type Customer implements Node {
  id: ID!
  legacyResourceId: UnsignedInt64!
  firstName: String
  lastName: String
  displayName: String!
  email: String @deprecated(reason: "Use defaultEmailAddress.emailAddress")
  phone: String @deprecated(reason: "Use defaultPhoneNumber.phoneNumber")
  defaultEmailAddress: CustomerEmailAddress
  defaultPhoneNumber: CustomerPhoneNumber
  defaultAddress: MailingAddress
  addressesV2(first: Int): MailingAddressConnection!
  amountSpent: MoneyV2!
  numberOfOrders: UnsignedInt64!
  createdAt: DateTime!
  updatedAt: DateTime!
  note: String
  state: CustomerState!
  tags: [String!]!
  taxExempt: Boolean!
  verifiedEmail: Boolean!
  metafield(namespace: String, key: String!): Metafield
  metafields(first: Int, after: String, namespace: String, keys: [String!]): MetafieldConnection!
}

type CustomerEmailAddress {
  emailAddress: String!
  marketingState: CustomerEmailAddressMarketingState!
  marketingOptInLevel: CustomerMarketingOptInLevel
  marketingUpdatedAt: DateTime
}

type CustomerPhoneNumber {
  phoneNumber: String!
  marketingState: CustomerSmsMarketingState!
  marketingOptInLevel: CustomerMarketingOptInLevel
  marketingUpdatedAt: DateTime
  marketingCollectedFrom: CustomerConsentCollectedFrom
}

type MailingAddressConnection { edges: [MailingAddressEdge!]! nodes: [MailingAddress!]! pageInfo: PageInfo! }
type MailingAddressEdge { cursor: String! node: MailingAddress! }
type MailingAddress {
  address1: String
  address2: String
  city: String
  company: String
  country: String
  countryCodeV2: String
  firstName: String
  lastName: String
  phone: String
  province: String
  provinceCode: String
  zip: String
}
type MoneyV2 { amount: Decimal! currencyCode: String! }

type Metafield implements Node {
  id: ID!
  namespace: String!
  key: String!
  value: String!
  type: String!
  createdAt: DateTime!
  updatedAt: DateTime!
}

enum CustomerSortKeys { CREATED_AT ID LOCATION NAME RELEVANCE UPDATED_AT }
enum CustomerState { DECLINED DISABLED ENABLED INVITED }
enum CustomerEmailAddressMarketingState { INVALID NOT_SUBSCRIBED PENDING REDACTED SUBSCRIBED UNSUBSCRIBED }
enum CustomerEmailMarketingState { INVALID NOT_SUBSCRIBED PENDING REDACTED SUBSCRIBED UNSUBSCRIBED }
enum CustomerSmsMarketingState { NOT_SUBSCRIBED PENDING REDACTED SUBSCRIBED UNSUBSCRIBED }
enum CustomerMarketingOptInLevel { CONFIRMED_OPT_IN SINGLE_OPT_IN UNKNOWN }
enum CustomerConsentCollectedFrom { OTHER SHOPIFY }

input CustomerEmailMarketingConsentUpdateInput {
  customerId: ID!
  emailMarketingConsent: CustomerEmailMarketingConsentInput!
}
input CustomerEmailMarketingConsentInput {
  marketingState: CustomerEmailMarketingState!
  marketingOptInLevel: CustomerMarketingOptInLevel
  consentUpdatedAt: DateTime
  sourceLocationId: ID
}
input CustomerSmsMarketingConsentUpdateInput { customerId: ID! smsMarketingConsent: CustomerSmsMarketingConsentInput! }
input CustomerSmsMarketingConsentInput {
  marketingState: CustomerSmsMarketingState!
  marketingOptInLevel: CustomerMarketingOptInLevel
  consentUpdatedAt: DateTime
  sourceLocationId: ID
}

type ApiVersion { displayName: String! handle: String! supported: Boolean! }
type WebhookSubscription {
  id: ID!
  legacyResourceId: UnsignedInt64!
  topic: WebhookSubscriptionTopic!
  uri: String!
  format: WebhookSubscriptionFormat!
  filter: String
  name: String
  includeFields: [String!]!
  metafieldNamespaces: [String!]!
  apiVersion: ApiVersion!
  createdAt: DateTime!
  updatedAt: DateTime!
  callbackUrl: URL! @deprecated(reason: "Use `uri` instead.")
  endpoint: WebhookSubscriptionEndpoint! @deprecated(reason: "Use `uri` instead.")
}
union WebhookSubscriptionEndpoint = WebhookHttpEndpoint
type WebhookHttpEndpoint { callbackUrl: URL! }
type WebhookSubscriptionConnection {
  edges: [WebhookSubscriptionEdge!]!
  nodes: [WebhookSubscription!]!
  pageInfo: PageInfo!
}
type WebhookSubscriptionEdge { cursor: String! node: WebhookSubscription! }
enum WebhookSubscriptionSortKeys { CREATED_AT ID RELEVANCE }
enum WebhookSubscriptionFormat { JSON XML }
enum WebhookSubscriptionTopic {
  APP_UNINSTALLED CUSTOMERS_CREATE CUSTOMERS_DELETE CUSTOMERS_DISABLE CUSTOMERS_EMAIL_MARKETING_CONSENT_UPDATE
  CUSTOMERS_ENABLE CUSTOMERS_MARKETING_CONSENT_UPDATE CUSTOMERS_MERGE CUSTOMERS_PURCHASING_SUMMARY CUSTOMERS_UPDATE
  CUSTOMER_TAGS_ADDED CUSTOMER_TAGS_REMOVED ORDERS_CANCELLED ORDERS_CREATE ORDERS_PAID ORDERS_UPDATED REFUNDS_CREATE
}
input WebhookSubscriptionInput {
  uri: String
  format: WebhookSubscriptionFormat
  filter: String
  name: String
  includeFields: [String!]
  metafieldNamespaces: [String!]
  callbackUrl: URL @deprecated(reason: "Use `uri` instead.")
}
type WebhookSubscriptionCreatePayload { webhookSubscription: WebhookSubscription userErrors: [UserError!]! }
type WebhookSubscriptionDeletePayload { deletedWebhookSubscriptionId: ID userErrors: [UserError!]! }

type UserError { field: [String!] message: String! }
type CodedUserError { field: [String!] message: String! code: String }
type TagsAddPayload { node: Node userErrors: [UserError!]! }
type TagsRemovePayload { node: Node userErrors: [UserError!]! }
type CustomerEmailMarketingConsentUpdatePayload { customer: Customer userErrors: [CodedUserError!]! }
type CustomerSmsMarketingConsentUpdatePayload { customer: Customer userErrors: [CodedUserError!]! }
type CustomerRequestDataErasurePayload { customerId: ID userErrors: [CodedUserError!]! }
"""
