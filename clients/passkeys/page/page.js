/** The demonstration page: three forms, and what came of them. */

import { Passkeys, capabilities } from "../powerauth-passkeys.js";

const outcome = document.querySelector("#outcome");
const applicationField = document.querySelector("#sign-in [name=applicationId]");
let accessToken;
let waiting = new AbortController();

applicationField.value = new URLSearchParams(location.search).get("application") ?? "";

function passkeys() {
  return new Passkeys(applicationField.value);
}

/** Show what an attempt came to; the page keeps the access token in memory only. */
async function show(attempt) {
  delete outcome.dataset.code;
  outcome.value = "…";
  try {
    const answer = await attempt();
    accessToken = answer.access_token ?? accessToken;
    outcome.value = JSON.stringify(withoutTokens(answer), null, 2);
    outcome.dataset.code = "OK";
  } catch (error) {
    outcome.value = error.message;
    outcome.dataset.code = error.code === undefined || error instanceof DOMException ? error.name : error.code;
  }
}

function withoutTokens(answer) {
  return Object.fromEntries(Object.entries(answer).map(([name, value]) => [name, name.endsWith("_token") ? "…" : value]));
}

/** A request for a passkey ends the one that waits in the field for the user name. */
function onSubmit(form, attempt) {
  document.querySelector(form).addEventListener("submit", (event) => {
    event.preventDefault();
    waiting.abort();
    const fields = Object.fromEntries([...new FormData(event.target)].filter(([, value]) => value !== ""));
    show(() => attempt(fields));
  });
}

onSubmit("#sign-in", ({ userId }) => passkeys().signIn({ userId, scope: "openid passkey:register passkey:manage" }));
onSubmit("#register", ({ ticket, name }) => passkeys().register({ ticket, name, accessToken: ticket ? undefined : accessToken }));
onSubmit("#approve", ({ operationId }) => passkeys().approve({ operationId, accessToken }));

const { passkeys: supported, platform, conditional } = await capabilities();
document.querySelector("#capabilities").textContent = supported
  ? `This browser knows passkeys${platform ? ", this device can hold them" : ""}.`
  : "This browser knows no passkeys.";
document.body.dataset.ready = "";

if (conditional && applicationField.value) {
  const { signal } = waiting;
  passkeys()
    .signIn({ conditional: true, signal })
    .then((answer) => show(async () => answer))
    .catch((error) => {
      if (!signal.aborted) show(() => Promise.reject(error));
    });
}
