// The page of a running gateway, in a real browser.
//
//   NODE_PATH=.../node_modules CHROMIUM=/usr/bin/chromium node page.mjs [--switch off|on] [--fix SERVER] URL
//
// URL is what `mcpproxy serve` prints, with the key in its fragment. Prints a line for everything it has
// checked; exits with 1 and a message at the first thing that is wrong. The gateway's state is only changed
// with `--switch`, which presses the page's switch by keyboard until it stands as told, and with `--fix`, which
// has the program of that server found, by keyboard.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

// `require` looks into NODE_PATH; `import` does not.
const require = createRequire(import.meta.url);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const contract = JSON.parse(readFileSync(new URL("../../src/contract/heartbeat-v3.json", import.meta.url), "utf8"));

const args = process.argv.slice(2);
const option = (name) => args[0] === name ? args.splice(0, 2)[1] : null;
const wanted = option("--switch");
const broken = option("--fix");
const [url] = args;
if (args.length !== 1 || !URL.canParse(url) || ![null, "on", "off"].includes(wanted)) {
  console.error("usage: node page.mjs [--switch off|on] [--fix SERVER] URL");
  process.exit(2);
}
const { origin, hash } = new URL(url);
const apiKey = decodeURIComponent(hash.slice("#key=".length));

const done = (text) => console.log(`ok: ${text}`);
const must = (truth, text) => { if (!truth) throw new Error(text); };

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
  ],
});
const complaints = [];

/** A tab that hears everything it must not do; `expected` are answers that the browser reports as errors. */
async function tab(settings = {}, expected = []) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...settings });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  page.on("console", (message) => {
    const text = message.text();
    if (message.type() === "error" && !expected.some((one) => text.includes(one))) complaints.push(`console: ${text}`);
  });
  page.on("pageerror", (error) => complaints.push(`exception: ${error}`));
  page.on("dialog", (dialog) => { complaints.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on("request", (request) => {
    const target = request.url();
    if (!target.startsWith(`${origin}/`) && !/^(data:|about:blank$)/.test(target)) complaints.push(`request to ${target}`);
    if (target.includes(apiKey)) complaints.push("a request line holds the key");
  });
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (e) => console.error(`CSP: ${e.violatedDirective} ${e.blockedURI}`));
  });
  return page;
}

/** Opens the page and waits until it shows data. */
async function open(page) {
  // Another fragment alone would not load the page again.
  if (page.url() !== "about:blank") await page.goto("about:blank");
  const answer = await page.goto(url);
  await page.locator("#content").waitFor();
  return answer;
}

/** What the API says, asked without the page. */
async function api(path) {
  const answer = await fetch(`${origin}${path}`, { headers: { "X-API-Key": apiKey } });
  must(answer.status === 200, `${path} answers ${answer.status}`);
  return answer.json();
}

const text = (page, selector) => page.locator(selector).innerText();

async function headers(page) {
  const answer = await open(page);
  const policy = answer.headers()["content-security-policy"] ?? "";
  for (const part of ["default-src 'none'", "script-src 'sha256-", "style-src 'sha256-", "connect-src 'self'", "frame-ancestors 'none'"]) {
    must(policy.includes(part), `the content security policy lacks ${part}: ${policy}`);
  }
  must(!policy.includes("unsafe"), `the content security policy allows something unsafe: ${policy}`);
  done("the content security policy is strict, and script and style run under it");
}

async function keyIsPutAway(page) {
  must(!page.url().includes("key") && new URL(page.url()).hash === "", `the address still holds the key: ${new URL(page.url()).pathname}`);
  await page.reload();
  await page.locator("#content").waitFor();
  must(!(await page.content()).includes(apiKey), "the key stands in the document");
  done("the key has left the address bar, and a reload still works");
}

async function statusIsShown(page) {
  const { data } = await api("/api/v1/status");
  const { activation, telemetry } = data;
  const flags = [activation.first_connected_server_ever, activation.first_mcp_client_ever, activation.first_retrieve_tools_call_ever];
  const steps = page.locator("#steps > li");
  must((await steps.count()) === 3, "the funnel does not have three steps");
  for (const [i, reached] of flags.entries()) {
    const words = await steps.nth(i).innerText();
    must(words.includes(reached ? "Reached" : "Not yet"), `step ${i + 1} of the funnel does not say ${reached}: ${words}`);
  }
  must((await text(page, "#reached")).startsWith(`${flags.filter(Boolean).length} of 3 steps reached`), "the funnel is not told in words");
  for (const name of activation.mcp_clients_seen_ever) {
    must((await steps.nth(1).innerText()).includes(name), `client ${name} is not shown`);
  }
  if (flags[2]) {
    const words = await steps.nth(2).innerText();
    must(words.includes(`Last 24 hours: ${activation.retrieve_tools_calls_24h} search`), `searches are not counted: ${words}`);
  }
  done(`the funnel is shown: ${flags.filter(Boolean).length} of 3 steps, in picture and words`);

  const rows = page.locator("#servers > li");
  must((await rows.count()) === data.servers.length, `${await rows.count()} servers are shown, ${data.servers.length} exist`);
  for (const [i, server] of data.servers.entries()) {
    const words = await rows.nth(i).innerText();
    // Invisible characters are spelled out and long names are cut; plain ones are shown as they are.
    if (/^[ -~]{1,240}$/.test(server.name)) must(words.includes(server.name.trim()), `server ${server.name} is not shown: ${words}`);
    must(words.includes(server.state), `server ${server.name} is ${server.state}, shown is: ${words}`);
  }
  must((await page.locator("#servers :is(img, script, style), #servers bdi *").count()) === 0, "a server's name has become markup");
  done(`${data.servers.length} servers are shown with their states, names as text`);

  must((await text(page, "#kind")).includes(data.env_kind), "the kind of environment is not shown");
  must((await text(page, "#rule")).includes(data.env_rule), "the rule of classification is not shown");
  for (const name of data.env_evidence) must((await text(page, "#evidence")).includes(name), `evidence ${name} is not shown`);
  must((await text(page, "#markers")).includes("Launched"), "how it was launched is not shown");
  done(`the environment is shown: ${data.env_kind} by rule ${data.env_rule}`);

  must((await text(page, "#because")).includes(telemetry.rule), `the deciding rule ${telemetry.rule} is not shown`);
  const delivery = await text(page, "#delivery");
  must(delivery.includes(telemetry.endpoint ?? "no endpoint"), "where a heartbeat goes is not shown");
  must(delivery.includes(telemetry.anonymous_id ?? "none yet"), "the id is not shown");
  done(`telemetry is shown: ${telemetry.effective} by rule ${telemetry.rule}`);
}

async function payloadIsShown(page) {
  const shown = JSON.parse(await page.locator("#payload").textContent());
  const { data } = await api("/api/v1/telemetry/payload");
  // Time passes and requests are counted between two looks.
  const still = ({ timestamp, surface_requests, uptime_hours, ...rest }) => JSON.stringify(rest);
  must(still(shown) === still(data), `the payload differs from the API's: ${JSON.stringify(shown)}`);
  const places = (schema, path = "") => schema.properties
    ? Object.entries(schema.properties).flatMap(([name, inner]) => places(inner, path ? `${path}.${name}` : name))
    : [path];
  await page.getByText("What each field means").click();
  const fields = await text(page, "#fields");
  must(!fields.includes("Not described"), "a field of the payload has no explanation");
  const source = await page.locator("script").textContent();
  for (const place of places(contract)) {
    must(new RegExp(`^  (${place}|"${place.replaceAll(".", "\\.")}"): "`, "m").test(source), `the page has no explanation for ${place}`);
  }
  done(`the exact payload is shown, and all ${places(contract).length} fields of the contract are explained`);

  const sent = (await api("/api/v1/telemetry/sent")).data;
  const copies = page.locator("#copies > li");
  must((await copies.count()) === sent.length, `${await copies.count()} sent payloads are shown, ${sent.length} are kept`);
  for (const [i, { payload }] of sent.entries()) {
    const shown = await copies.nth(i).locator("pre").textContent();
    must(shown === JSON.stringify(payload), `sent payload ${i + 1} differs: ${shown}`);
  }
  done(`${sent.length} sent payloads are listed`);
}

async function keyboardReachesTheSwitch(page) {
  await open(page);
  const toggle = page.getByRole("switch", { name: "Allow telemetry" });
  must(["true", "false"].includes(await toggle.getAttribute("aria-checked")), "the switch has no state");
  for (let presses = 0; presses < 10; presses++) {
    await page.keyboard.press("Tab");
    if (await toggle.evaluate((node) => node === document.activeElement)) {
      const outline = await toggle.evaluate((node) => {
        const style = getComputedStyle(node);
        return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
      });
      must(outline, "the focus on the switch cannot be seen");
      done(`the switch is reached by keyboard (Tab pressed: ${presses + 1}), and the focus is visible`);
      return;
    }
  }
  throw new Error("the switch is not reached by keyboard");
}

async function structure(page) {
  for (const role of ["main", "banner", "contentinfo"]) must((await page.getByRole(role).count()) === 1, `there is no ${role}`);
  const levels = await page.locator("h1, h2, h3").evaluateAll((all) => all.filter((h) => h.checkVisibility()).map((h) => Number(h.tagName[1])));
  must(levels[0] === 1 && levels.filter((level) => level === 1).length === 1, "there is not one first heading");
  must(levels.every((level, i) => i === 0 || level <= levels[i - 1] + 1), `headings skip a level: ${levels}`);
  must((await page.locator("[style], [onclick], [onload], [onerror]").count()) === 0, "there are inline styles or handlers");
  done("landmarks and headings are in order");
}

/** The page keeps the focus, the scroll position and what is unfolded while it asks again. */
async function refreshIsQuiet(page) {
  await open(page);
  await page.getByText("What each field means").click();
  await page.getByText("What each field means").focus();
  await page.evaluate(() => scrollTo(0, 400));
  const look = () => page.evaluate(() => [scrollY, document.activeElement.tagName, document.querySelector("#content details").open].join());
  const before = await look();
  const again = () => page.waitForResponse((answer) => answer.url().endsWith("/api/v1/status"));
  await again();
  await again();
  must((await look()) === before, `asking again moved something: ${before} became ${await look()}`);
  done("asking again moves neither focus nor scroll position");
}

async function goneAndBack(page) {
  await open(page);
  await page.context().setOffline(true);
  await page.locator("#gone").getByText("does not answer").waitFor();
  await page.context().setOffline(false);
  await page.locator("#gone .alert").waitFor({ state: "detached" });
  done("a gateway that does not answer is reported, and so is its return");
}

async function fitsAndPassesAxe() {
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [1280, 640, 320]) {
      // axe is injected, which the policy rightly forbids: here it is switched off.
      const page = await tab({ colorScheme, viewport: { width, height: 800 }, bypassCSP: true }, ["429"]);
      await open(page);
      for (const fold of await page.locator("summary:visible").all()) await fold.click();
      if (broken) {
        await serverOf(page).getByRole("button", { name: "Find the program…" }).click();
        await serverOf(page).locator(".plan").waitFor();
      }
      const excess = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      must(excess <= 0, `at ${width} px the page is ${excess} px too wide`);
      await accessible(page, `${colorScheme}, ${width} px`);
      await page.context().close();
    }
  }
  done("nothing scrolls sideways at 1280, 640 and 320 px");
}

async function accessible(page, where) {
  await page.evaluate(axe);
  const { violations, passes } = await page.evaluate(
    () => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }));
  const told = violations.map((v) => `${v.id} (${v.help}): ${v.nodes.map((node) => node.target.join(" ")).join("; ")}`);
  must(violations.length === 0, `axe, ${where}: ${told.join("\n")}`);
  done(`axe finds no violation of WCAG 2.2 A and AA (${where}, ${passes.length} rules passed)`);
}

async function withoutAKey() {
  const page = await tab({ bypassCSP: true }, ["401"]);
  await page.goto(`${origin}/`);
  await page.locator("#locked").waitFor();
  must((await text(page, "#locked")).includes("mcpproxy serve"), "the page does not say where a key comes from");
  const field = page.getByLabel("API key");
  must((await field.getAttribute("type")) === "password", "the key is typed in the open");
  await accessible(page, "without a key");
  await field.fill("wrong");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").getByText("did not accept this key").waitFor();
  await field.fill(apiKey);
  await page.keyboard.press("Enter");
  await page.locator("#content").waitFor();
  done("without a key the page asks for one, refuses a wrong one and takes the right one");
  await page.context().close();
}

async function pressTheSwitch(page) {
  await open(page);
  const toggle = page.getByRole("switch", { name: "Allow telemetry" });
  const target = String(wanted === "on");
  if ((await toggle.getAttribute("aria-checked")) === target) {
    done(`the switch stood at ${wanted} already`);
    return;
  }
  await toggle.focus();
  await page.keyboard.press("Space");
  await page.locator(`#switch[aria-checked=${target}]`).waitFor();
  await page.getByRole("status").getByText("Done. Telemetry is").waitFor();
  const { telemetry } = (await api("/api/v1/status")).data;
  must(telemetry.preference === (wanted === "on" ? "enabled" : "disabled"), `the preference is ${telemetry.preference}`);
  const words = telemetry.effective === "local_only" ? "local only" : telemetry.effective;
  if (wanted === "off") must(words === "off", `telemetry is still ${words}`);
  for (const place of ["#state", "#said"]) {
    must((await text(page, place)).includes(`Telemetry is ${words}`), `${place} does not say ${words}: ${await text(page, place)}`);
  }
  must((await text(page, "#because")).includes(telemetry.rule), `the deciding rule ${telemetry.rule} is not shown`);
  must(await toggle.evaluate((node) => node === document.activeElement), "the switch lost the focus");
  done(`the switch was pressed by keyboard: aria-checked=${target}, announced "Telemetry is ${words}", rule ${telemetry.rule}`);
}

const serverOf = (page) => page.locator("#servers > li").filter({ has: page.locator("bdi", { hasText: broken }) });

/** The program of a server is found and written, by keyboard, after a look at what would change. */
async function fixTheServer(page) {
  await open(page);
  const server = serverOf(page), plan = server.locator(".plan"), result = server.locator(".result");
  const config = async () => (await api("/api/v1/diagnostics")).data.servers.map(({ server: name }) => name);
  must((await config()).includes(broken), `nothing is wrong with ${broken}`);
  await server.locator("summary").first().focus();
  await page.keyboard.press("Enter");
  const find = server.getByRole("button", { name: "Find the program…" });
  await find.focus();
  await page.keyboard.press("Enter");
  await plan.waitFor();
  must(await plan.evaluate((node) => node === document.activeElement), "what would change has not got the focus");
  must(/- "command".*\n\+ "command"/.test(await plan.innerText()), `the change is not shown: ${await plan.innerText()}`);
  await page.getByRole("button", { name: "Leave it as it is" }).focus();
  await page.keyboard.press("Enter");
  must(await plan.isHidden(), "what was left is still shown");
  must(await find.evaluate((node) => node === document.activeElement), "the focus is lost after leaving it");
  must((await config()).includes(broken), "a look has changed something");
  await page.keyboard.press("Enter");
  await plan.waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await result.getByText("It helped; the server is connected").waitFor({ timeout: 60_000 });
  must((await result.innerText()).includes("mcpproxy upstream set-command"), "the way back is not shown");
  await server.getByText("connected", { exact: true }).waitFor();
  must(await result.evaluate((node) => node === document.activeElement), "the focus is lost after the fix");
  must(!(await config()).includes(broken), `something is wrong with ${broken} still`);
  await server.getByText("What it wrote last on standard error").click();
  await server.locator("pre").getByText("it starts, with ***").waitFor();
  done(`the program of ${broken} was found and written by keyboard; what it wrote is shown without its secret`);
}

let failure = null;
try {
  const page = await tab();
  await headers(page);
  await keyIsPutAway(page);
  await statusIsShown(page);
  await payloadIsShown(page);
  await structure(page);
  await keyboardReachesTheSwitch(page);
  await refreshIsQuiet(page);
  await fitsAndPassesAxe();
  await withoutAKey();
  if (wanted) await pressTheSwitch(page);
  // The gateway may say that fixes are too close to each other: then the page waits and asks again.
  if (broken) await fixTheServer(await tab({}, ["429"]));
  // Last: the browser itself reports requests that fail.
  await goneAndBack(await tab({}, ["net::ERR_INTERNET_DISCONNECTED"]));
} catch (error) {
  failure = error;
}
await browser.close();
for (const complaint of complaints) console.error(`page.mjs: ${complaint}`);
if (failure) console.error(`page.mjs: ${failure.message}`);
if (failure || complaints.length) process.exit(1);
done("no console error, no violation of the policy, no request to another origin");
