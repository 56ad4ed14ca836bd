// The pages of a running collector, in a real browser.
//
//   NODE_PATH=.../node_modules CHROMIUM=/usr/bin/chromium node collector-pages.mjs [--pictures DIR] [--query QUERY] URL
//
// URL is the link that `mcpproxy collector` prints, with its key. Prints a line for everything it has checked; exits
// with 1 and a message at the first thing that is wrong. `--pictures` also takes each page at 1280 and 390 pixels,
// light and dark; `--query` (such as `show=all`) is the view. Nothing is changed.
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";

// `require` looks into NODE_PATH; `import` does not.
const require = createRequire(import.meta.url);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const args = process.argv.slice(2);
const option = (name) => (args[0] === name ? args.splice(0, 2)[1] : null);
const pictures = option("--pictures");
const query = option("--query") ?? "";
const [link] = args;
if (args.length !== 1 || !URL.canParse(link)) {
  console.error("usage: node collector-pages.mjs [--pictures DIR] [--query QUERY] URL");
  process.exit(2);
}
if (pictures) mkdirSync(pictures, { recursive: true });
const { origin } = new URL(link);

const PAGES = ["overview", "retention", "activation", "environments", "versions", "clients", "health"];
const at = (name, table = "") => {
  const parts = [query, table && `table=${table}`].filter(Boolean).join("&");
  return `${origin}/${name === "overview" ? "" : name}${parts ? `?${parts}` : ""}`;
};

const done = (text) => console.log(`ok: ${text}`);
const must = (truth, text) => { if (!truth) throw new Error(text); };

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars",
  ],
});
const complaints = [];

/** A tab that has the key, and hears everything it must not do. */
async function tab(settings = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...settings });
  context.setDefaultTimeout(15_000);
  const page = await context.newPage();
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(`console: ${message.text()}`);
  });
  page.on("request", (request) => {
    const target = request.url();
    if (!target.startsWith(`${origin}/`) && !target.startsWith("data:")) complaints.push(`request to ${target}`);
  });
  await page.goto(link);
  must(!page.url().includes("key="), "the address still holds the key");
  return page;
}

/** Every page in one scheme: a strict policy, no script, nothing for axe to find, nothing that scrolls sideways. */
async function look(colorScheme) {
  // axe is injected, which the policy rightly forbids: here it is switched off.
  const page = await tab({ colorScheme, bypassCSP: true });
  let charts = 0;
  for (const name of PAGES) {
    await page.setViewportSize({ width: 1280, height: 900 });
    const answer = await page.goto(at(name));
    must(answer.status() === 200, `${name} answers ${answer.status()}`);
    const policy = answer.headers()["content-security-policy"] ?? "";
    must(policy.startsWith("default-src 'none'") && !/script|unsafe/.test(policy), `${name}: policy ${policy}`);
    must((await page.locator("script, [style]").count()) === 0, `${name} has a script or an inline style`);
    const dark = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    must((parseInt(dark.match(/\d+/)[0]) < 64) === (colorScheme === "dark"), `${name} is not ${colorScheme}: ${dark}`);
    await accessible(page, `${name}, ${colorScheme}`);
    charts += await page.locator("svg[role=img]").count();
    for (const svg of await page.locator("svg[role=img]").all()) {
      const told = await svg.evaluate((node) => [node.querySelector("title")?.textContent, node.querySelector("desc")?.textContent]);
      must(told.every((text) => text?.length > 5), `a chart on ${name} does not say what it shows`);
    }
    for (const width of [1280, 390]) {
      await page.setViewportSize({ width, height: 900 });
      const excess = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      must(excess <= 0, `at ${width} px ${name} is ${excess} px too wide`);
      await fits(page, `${name} at ${width} px`);
      if (pictures) await page.screenshot({ path: `${pictures}/${name}-${width}-${colorScheme}.png`, fullPage: true });
    }
  }
  await page.context().close();
  done(`${colorScheme}: axe finds no violation of WCAG 2.2 A and AA on ${PAGES.length} pages, ${charts} charts have titles and descriptions`);
}

/** What opens above the numbers moves nothing out of its line, and a table of few columns does not scroll sideways. */
async function fits(page, where) {
  const wide = await page.locator(".scroll").evaluateAll((all) => all
    .filter((box) => [...box.querySelectorAll("thead th")].filter((head) => head.checkVisibility()).length <= 5)
    .map((box) => [box.getAttribute("aria-label"), box.scrollWidth - box.clientWidth])
    .filter(([, excess]) => excess > 24)); // letters are wider on some machines
  const over = await page.locator("svg.plot g").evaluateAll((all) => all
    .map((row) => [row.querySelector(".name"), row.querySelector(".value")])
    .filter((pair) => pair.every(Boolean))
    .map(([name, value]) => [name.textContent, name.getBoundingClientRect(), value.getBoundingClientRect()])
    .filter(([, name, value]) => name.right > value.left && name.bottom > value.top + 4)
    .map(([text]) => text));
  must(over.length === 0, `${where}: names run into their shares: ${over.join("; ")}`);
  must(wide.length === 0, `${where}: tables are too wide for their box: ${wide.join("; ")}`);
  if (!(await page.locator("details").count())) return;
  const place = (selector) => page.locator(selector).first().evaluate((node) => node.getBoundingClientRect().bottom);
  const [nav, date] = [await place(".segments"), await place("input[type=date]")];
  const isOpen = await page.locator("details").evaluate((node) => node.open);
  await page.locator("details").evaluate((node) => { node.open = true; });
  const opened = [await place(".segments"), await place("input[type=date]")];
  must(opened[0] === nav && opened[1] === date, `${where}: open filters move the others from ${[nav, date]} to ${opened}`);
  await page.locator("details").evaluate((node, was) => { node.open = was; }, isOpen);
}

async function accessible(page, where) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(
    () => globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }));
  const told = violations.map((v) => `${v.id} (${v.help}): ${v.nodes.map((node) => node.target.join(" ")).join("; ")}`);
  must(violations.length === 0, `axe, ${where}: ${told.join("\n")}`);
}

/** The pages for everybody, if there are: the list, and the first product. */
async function published(colorScheme) {
  const page = await tab({ colorScheme, bypassCSP: true });
  const answer = await page.request.get(`${origin}/public`);
  const all = answer.status() === 200 ? ["public"] : [];
  for (const name of all) {
    await page.goto(`${origin}/${name}`);
    await accessible(page, `${name}, ${colorScheme}`);
    for (const width of [1280, 390]) {
      await page.setViewportSize({ width, height: 900 });
      const excess = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      must(excess <= 0, `at ${width} px ${name} is ${excess} px too wide`);
      const file = `${pictures}/${name.replaceAll("/", "-")}-${width}-${colorScheme}.png`;
      if (pictures) await page.screenshot({ path: file, fullPage: true });
    }
    const first = page.locator("a[href^='public/']").first();
    if (name === "public" && (await first.count())) all.push(await first.getAttribute("href"));
  }
  await page.context().close();
  if (all.length) done(`${colorScheme}: the same of ${all.join(", ")}, which need no key`);
}

/** Each table of each page has an address of its own; its chart is a picture that stands alone. */
async function tables() {
  const page = await tab();
  let pictured = 0;
  for (const name of PAGES) {
    await page.goto(at(name));
    const own = await page.locator("section.card[id]").evaluateAll((all) => all.map((card) => card.id));
    for (const table of own) {
      await page.goto(at(name, table));
      must((await page.locator("section.card[id]").count()) === 1, `${name}, ${table}: not one table`);
      const svg = page.locator("section.card[id] .exports a", { hasText: "SVG" });
      if ((await svg.count()) === 0) continue;
      pictured += 1;
      const target = new URL(await svg.getAttribute("href"), page.url()).href;
      const answer = await page.goto(target);
      must(answer.headers()["content-type"] === "image/svg+xml", `${target} is no picture`);
      const fill = await page.evaluate(() => getComputedStyle(document.querySelector(".paper")).fill);
      must(fill === "rgb(255, 255, 255)", `the style of ${target} does not hold: ${fill}`);
      const root = await page.evaluate(() => document.documentElement.tagName);
      must(root === "svg", `${target} does not parse: ${root}`);
      if (pictures) {
        const [width, height] = await page.evaluate(() => ["width", "height"].map((side) => document.documentElement[side].baseVal.value));
        await page.setViewportSize({ width: Math.ceil(width), height: Math.ceil(height) });
        await page.screenshot({ path: `${pictures}/svg-${name}-${table}.png` });
        await page.setViewportSize({ width: 1280, height: 900 });
      }
    }
  }
  await page.context().close();
  done(`each table has an address, and ${pictured} charts stand alone as pictures`);
}

/** Everything that can be used is reached by Tab, and the focus is seen on each. */
async function keyboard() {
  const page = await tab();
  const USABLE = "a[href], input:not([type=hidden]), select, button, summary, [tabindex='0']";
  for (const name of PAGES) {
    await page.goto(at(name));
    if (await page.locator("details:not([open]) > summary").count()) await page.locator("summary").first().press("Enter");
    await page.evaluate(() => { document.activeElement?.blur(); });
    const usable = await page.locator(USABLE).evaluateAll((all) => all.filter((node) => node.checkVisibility()).length);
    const reached = new Set();
    // A date has several stops.
    for (let presses = 0; presses < usable * 2 + 20 && reached.size < usable; presses++) {
      await page.keyboard.press("Tab");
      const seen = await page.evaluate((selector) => {
        const node = document.activeElement;
        if (!node.matches(selector)) return null;
        const style = getComputedStyle(node);
        const at = [...document.querySelectorAll(selector)].indexOf(node);
        return { at, is_seen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2, what: node.outerHTML.slice(0, 80) };
      }, USABLE);
      if (!seen) continue;
      must(seen.is_seen, `${name}: the focus cannot be seen on ${seen.what}`);
      reached.add(seen.at);
    }
    must(reached.size === usable, `${name}: ${reached.size} of ${usable} are reached by keyboard`);
  }
  // A filter, by keyboard alone.
  await page.goto(at("retention"));
  if (await page.locator("details:not([open]) > summary").count()) await page.locator("summary").press("Enter");
  await page.getByLabel("Operating system").focus();
  await page.keyboard.type("lin");
  await page.keyboard.press("Enter");
  if (!page.url().includes("os=linux")) {
    await page.getByRole("button", { name: "Show" }).press("Enter");
  }
  await page.waitForURL(/os=linux/);
  must((await page.locator(".scope").innerText()).includes("os linux"), "the filter is not said");
  const links = await page.locator("nav.pages a").evaluateAll((all) => all.map((a) => a.getAttribute("href")));
  must(links.every((target) => target.includes("os=linux")), `links to other pages lose the filter: ${links}`);
  await page.context().close();
  done(`everything on ${PAGES.length} pages is reached by keyboard, and the focus is visible`);
}

let failure = null;
try {
  await look("light");
  await look("dark");
  await published("light");
  await published("dark");
  await tables();
  await keyboard();
} catch (error) {
  failure = error;
}
await browser.close();
for (const complaint of complaints) console.error(`collector-pages.mjs: ${complaint}`);
if (failure) console.error(`collector-pages.mjs: ${failure.message}`);
if (failure || complaints.length) process.exit(1);
done("no console error, no request to another origin");
