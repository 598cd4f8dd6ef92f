/**
 * Passkeys of a PowerAuth backend in the browser: registration, sign-in, approval of operations.
 *
 * One file without dependencies, to be served by the bank from the origin of its pages. The enrollment service has to
 * be reachable below the same origin, or to allow this one by CORS at the proxy before it.
 *
 * What the browser refuses rejects with the browser's own `DOMException` (`NotAllowedError`: the user said no or took
 * too long, `AbortError`: the caller's signal, `InvalidStateError`: the authenticator has a passkey of this user).
 * What the server refuses rejects with a `PasskeyError`.
 */

const REMOTE = "REMOTE_COMMUNICATION_ERROR";
const LAST_MOMENT = 15_000;

/** The server did not do what it was asked. */
export class PasskeyError extends Error {
  /**
   * @param {string} code of the API, such as `PASSKEY_FAILED`; `REMOTE_COMMUNICATION_ERROR` when nobody answers
   * @param {{status?: number, message?: string, lockedUntil?: number, retryAfter?: number}} [facts]
   *   `lockedUntil` in ms since the epoch, `retryAfter` in seconds
   */
  constructor(code, { status = 0, message, lockedUntil, retryAfter } = {}) {
    super(message ?? code);
    this.name = "PasskeyError";
    this.code = code;
    this.status = status;
    this.lockedUntil = lockedUntil;
    this.retryAfter = retryAfter;
  }
}

/**
 * What this browser can do.
 *
 * @returns {Promise<{passkeys: boolean, platform: boolean, conditional: boolean}>} `platform`: this device itself holds
 *   passkeys; `conditional`: they are offered in the form's field for the user name
 */
export async function capabilities() {
  const api = globalThis.PublicKeyCredential;
  if (api === undefined || globalThis.navigator?.credentials === undefined) {
    return { passkeys: false, platform: false, conditional: false };
  }
  const [platform, conditional] = await Promise.all([
    answered(api, "isUserVerifyingPlatformAuthenticatorAvailable"),
    answered(api, "isConditionalMediationAvailable"),
  ]);
  return { passkeys: true, platform, conditional };
}

/** A backend's passkeys for one application. */
export class Passkeys {
  /**
   * @param {string} applicationId
   * @param {{baseUrl?: string, fetch?: typeof fetch}} [settings] `baseUrl`: of the enrollment service, with its context
   */
  constructor(applicationId, { baseUrl = "/enrollment-server", fetch = globalThis.fetch } = {}) {
    this.applicationId = applicationId;
    this.baseUrl = baseUrl.replace(/\/+$/, "");
    this.fetch = (...request) => fetch(...request);
  }

  /**
   * Make a passkey for the user that the ticket or the access token names.
   *
   * @param {object} who
   * @param {string} [who.ticket] made by the bank's backend for a user whom it has authenticated
   * @param {string} [who.accessToken] with scope `passkey:register`, of a sign-in within five minutes
   * @param {string} [who.displayName] what the browser shows
   * @param {string} [who.name] what the list of passkeys shows, at most 64 characters
   * @param {"platform"|"cross-platform"} [who.attachment]
   * @param {AbortSignal} [who.signal]
   * @returns {Promise<object>} `activationId`, `credentialId`, `passkeyType`, `aaguid`, `description`, `attestation`,
   *   `activationStatus`
   */
  async register({ ticket, accessToken, displayName, name, attachment, signal } = {}) {
    const { registrationId, publicKey } = await this.#post(
      "registration/options",
      {
        applicationId: this.applicationId,
        bindingTicket: ticket,
        displayName,
        authenticatorAttachment: attachment,
      },
      { accessToken, signal },
    );
    const credential = await navigator.credentials.create({ publicKey: creationOptions(publicKey), signal });
    const request = { registrationId, name: name ?? displayName, credential: credentialJson(credential) };
    return this.#post("registration", request, { signal });
  }

  /**
   * Sign in. Without a user id the authenticator names the user.
   *
   * @param {object} [how]
   * @param {string} [how.userId]
   * @param {boolean} [how.conditional] wait until the user picks a passkey in a field with `autocomplete="username
   *   webauthn"`; ends with `signal`
   * @param {string} [how.clientId] @param {string} [how.nonce] @param {string} [how.scope] @param {string} [how.resource]
   * @param {object} [how.approvalData] what is signed with it
   * @param {number} [how.timeout] seconds
   * @param {AbortSignal} [how.signal]
   * @returns {Promise<object>} the token response, or the outcome of the operation where the application has no client
   */
  async signIn({ conditional = false, signal, ...wanted } = {}) {
    return this.#assert(wanted, { conditional, signal });
  }

  /**
   * Approve an operation of the user who is signed in.
   *
   * @param {{operationId: string, accessToken: string, signal?: AbortSignal}} what
   * @returns {Promise<object>} `operationId`, `operationStatus`
   */
  async approve({ operationId, accessToken, signal }) {
    return this.#assert({ operationId }, { accessToken, signal });
  }

  /** The user's passkeys; the access token needs scope `passkey:manage`. */
  async list(accessToken) {
    return (await this.#send("GET", "", undefined, { accessToken })).passkeys;
  }

  /** Give a passkey another name. */
  async rename(accessToken, activationId, name) {
    await this.#post(`${encodeURIComponent(activationId)}/rename`, { name }, { accessToken });
  }

  /** Take a passkey away. */
  async remove(accessToken, activationId) {
    await this.#send("DELETE", encodeURIComponent(activationId), undefined, { accessToken });
  }

  async #assert(wanted, { conditional = false, accessToken, signal }) {
    const asked = { applicationId: this.applicationId, ...wanted };
    for (;;) {
      const { sessionId, publicKey } = await this.#post("assertion/options", asked, { accessToken, signal });
      const credential = conditional
        ? await offered(publicKey, signal)
        : await navigator.credentials.get({ publicKey: requestOptions(publicKey), signal });
      if (credential !== null) {
        return this.#post("assertion", { sessionId, credential: credentialJson(credential) }, { signal });
      }
    }
  }

  #post(path, requestObject, how) {
    return this.#send("POST", path, JSON.stringify({ requestObject }), how);
  }

  async #send(method, path, body, { accessToken, signal }) {
    const headers = { Accept: "application/json" };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (accessToken !== undefined) headers.Authorization = `Bearer ${accessToken}`;
    const address = `${this.baseUrl}/api/passkey${path === "" ? "" : `/${path}`}`;
    const answer = await this.fetch(address, { method, headers, body, signal, credentials: "omit" }).catch((error) => {
      throw error instanceof TypeError ? new PasskeyError(REMOTE, { message: error.message }) : error;
    });
    const content = await answer.json().catch(() => ({}));
    if (answer.ok) return content.responseObject ?? {};
    const { code = REMOTE, message, lockedUntil } = content.responseObject ?? {};
    const retryAfter = Number(answer.headers.get("Retry-After")) || undefined;
    throw new PasskeyError(code, { status: answer.status, message, lockedUntil, retryAfter });
  }
}

/** The passkey that the user picks in the form; null when the session is about to end before that. */
async function offered(publicKey, signal) {
  signal?.throwIfAborted();
  const turn = new AbortController();
  const end = () => turn.abort(signal.reason);
  const timer = setTimeout(() => turn.abort(), publicKey.timeout - LAST_MOMENT);
  signal?.addEventListener("abort", end);
  try {
    const wanted = { publicKey: requestOptions(publicKey), mediation: "conditional", signal: turn.signal };
    return await navigator.credentials.get(wanted);
  } catch (error) {
    if (turn.signal.aborted && !signal?.aborted) return null;
    throw error;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", end);
  }
}

async function answered(api, question) {
  return typeof api[question] === "function" && Boolean(await api[question]().catch(() => false));
}

function creationOptions(json) {
  const native = globalThis.PublicKeyCredential.parseCreationOptionsFromJSON;
  if (typeof native === "function") return native.call(globalThis.PublicKeyCredential, json);
  return {
    ...json,
    challenge: decoded(json.challenge),
    user: { ...json.user, id: decoded(json.user.id) },
    excludeCredentials: json.excludeCredentials?.map(descriptor),
  };
}

function requestOptions(json) {
  const native = globalThis.PublicKeyCredential.parseRequestOptionsFromJSON;
  if (typeof native === "function") return native.call(globalThis.PublicKeyCredential, json);
  return {
    ...json,
    challenge: decoded(json.challenge),
    allowCredentials: json.allowCredentials?.map(descriptor),
  };
}

function descriptor(json) {
  return { ...json, id: decoded(json.id) };
}

/** RegistrationResponseJSON or AuthenticationResponseJSON: the members that the server reads. */
function credentialJson(credential) {
  const { response } = credential;
  const json = {
    id: credential.id,
    rawId: encoded(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment ?? undefined,
    response: { clientDataJSON: encoded(response.clientDataJSON) },
    clientExtensionResults: credential.getClientExtensionResults(),
  };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (response[name]?.byteLength > 0) json.response[name] = encoded(response[name]);
  }
  if (response.attestationObject !== undefined) json.response.transports = response.getTransports?.() ?? [];
  return json;
}

function encoded(buffer) {
  const text = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function decoded(text) {
  const raw = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(raw, (character) => character.charCodeAt(0)).buffer;
}
