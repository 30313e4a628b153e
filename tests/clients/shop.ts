import createClient from "openapi-fetch";
import type { paths } from "./api.js";

// A purchase, a listing and a change of stock, by the types that openapi-typescript makes of the document.
declare const process: { argv: string[] };
const [baseUrl = "", email = "", password = ""] = process.argv.slice(2);

function must<T>(said: { data?: T; error?: unknown; response: Response }): T {
  if (said.data === undefined) {
    throw new Error(`${said.response.status} ${said.response.url} ${JSON.stringify(said.error)}`);
  }
  return said.data;
}

const anybody = createClient<paths>({ baseUrl });
const bob = must(await anybody.POST("/sessions", { body: { email, password } }));
const seller = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${bob.token}` } });
const listed = must(
  await seller.POST("/seller/products", {
    body: { title: "A cup of TypeScript", category: "home-kitchen", price: 5, currency: "USD", quantity: 3, description: "" },
  }),
);
const guest = must(await anybody.POST("/sessions/guest"));
const shopper = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${guest.token}` } });
const address = must(
  await shopper.POST("/addresses", {
    body: { name: "Ann", line1: "1 Lane", city: "Boston", region: "MA", postal_code: "02110", country: "US" },
  }),
);
const card = must(await shopper.POST("/payment-methods", { body: { token: "tok_visa" } }));
must(await shopper.POST("/cart/items", { body: { offer_id: listed.offer_id, quantity: 1 } }));
const bought = must(
  await shopper.POST("/orders/checkout", {
    params: { header: { "Idempotency-Key": `ts-${Date.now()}` } },
    body: {
      shipping_address_id: address.address_id,
      payment_method_id: card.payment_method_id,
      shipping_method: "standard",
      email: "ann@shop.example",
    },
  }),
);
const order = must(await shopper.GET("/orders/{order_id}", { params: { path: { order_id: bought.order_id! } } }));
const path = { offer_id: listed.offer_id };
const stock = await seller.GET("/seller/stock/{offer_id}", { params: { path } });
const tag = stock.response.headers.get("etag") ?? undefined;
const counted = must(
  await seller.PUT("/seller/stock/{offer_id}", {
    params: { path, header: { "If-Match": tag } },
    body: { quantity: 7 },
  }),
);
console.log(JSON.stringify({ status: order.status, quantity: counted.quantity }));
