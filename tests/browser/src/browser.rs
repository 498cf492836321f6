//! A window of a browser, and what a person does in it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::prelude::*;
use thirtyfour::{ChromiumLikeCapabilities, LoggingPrefsLogLevel};

use crate::axe;
use crate::clinic::{PATIENCE, SECRET, Service};
use crate::driver::Driver;

/// A computer's window, and the narrowest phone that is sold.
const WIDE: (u32, u32) = (1_100, 900);
const NARROW: (u32, u32) = (360, 740);

pub(crate) struct Browser {
    driver: WebDriver,
    origin: String,
    downloads: TempDir,
}

impl Browser {
    /// A new window with a profile of its own, on the page's first address.
    pub(crate) async fn open(service: &Service) -> Self {
        Self::at(&format!("http://{}", service.address)).await
    }

    /// The same, elsewhere on this machine.
    pub(crate) async fn at(origin: &str) -> Self {
        let mut wanted = DesiredCapabilities::chrome();
        for arg in [
            "--headless=new",
            // Root has no sandbox, and the page is ours.
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--disable-background-networking",
            "--no-first-run",
            "--hide-scrollbars",
            "--disable-crash-reporter",
            "--lang=en",
            // There is nobody else in the world.
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        ] {
            wanted.add_arg(arg).unwrap();
        }
        let downloads = tempfile::tempdir().unwrap();
        let folder = json!({ "download.default_directory": downloads.path() });
        wanted.add_experimental_option("prefs", folder).unwrap();
        let all = LoggingPrefsLogLevel::All;
        wanted.set_logging_prefs("browser", all).unwrap();
        wanted.set_logging_prefs("performance", all).unwrap();
        let driver = WebDriver::new(&Driver::shared().url, wanted).await.unwrap();
        let browser = Self { driver, origin: origin.to_owned(), downloads };
        browser.shape(WIDE, false).await;
        browser.goto("/").await;
        browser
    }

    /// JavaScript is turned off from the next page on.
    pub(crate) async fn forbid_scripts(&self) {
        self.ask("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
        self.goto("/").await;
    }

    async fn ask(&self, method: &str, parameters: Value) {
        self.driver.cdp().send_raw(method, parameters).await.unwrap();
    }

    async fn shape(&self, (width, height): (u32, u32), is_phone: bool) {
        let shape = json!({ "width": width, "height": height, "mobile": is_phone,
                            "deviceScaleFactor": if is_phone { 2 } else { 1 } });
        self.ask("Emulation.setDeviceMetricsOverride", shape).await;
    }

    async fn colours(&self, scheme: &str) {
        let scheme = json!({ "name": "prefers-color-scheme", "value": scheme });
        // Colours that are still on their way are nobody's.
        let still = json!({ "name": "prefers-reduced-motion", "value": "reduce" });
        self.ask("Emulation.setEmulatedMedia", json!({ "features": [scheme, still] })).await;
    }

    pub(crate) async fn goto(&self, path: &str) {
        self.driver.goto(format!("{}{path}", self.origin)).await.unwrap();
    }

    /// What stands in the address bar behind the host.
    pub(crate) async fn path(&self) -> String {
        let url = self.driver.current_url().await.unwrap();
        url.as_str().strip_prefix(&self.origin).expect("it is still our page").to_owned()
    }

    /// What a person can read.
    pub(crate) async fn text(&self) -> String {
        let give_up = Instant::now() + PATIENCE;
        loop {
            // While a page is being left there may be none.
            match self.try_text().await {
                Ok(text) => return text,
                Err(error) => assert!(Instant::now() < give_up, "there is no page: {error}"),
            }
        }
    }

    async fn try_text(&self) -> WebDriverResult<String> {
        self.driver.find(By::Tag("body")).await?.text().await
    }

    /// Waits until this can be read.
    pub(crate) async fn sees(&self, words: &str) -> String {
        let give_up = Instant::now() + PATIENCE;
        loop {
            let text = self.text().await;
            if text.contains(words) {
                return text;
            }
            assert!(Instant::now() < give_up, "the page does not show {words}: {text}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until this cannot be read any more.
    pub(crate) async fn vanishes(&self, words: &str) {
        let give_up = Instant::now() + PATIENCE;
        while self.text().await.contains(words) {
            assert!(Instant::now() < give_up, "the page goes on showing {words}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Something to press, by what is written on it or what a screen reader says of it.
    async fn control(&self, label: &str) -> WebElement {
        let path = format!(
            "//*[self::button or self::a or self::summary]\
             [normalize-space()=\"{label}\" or @aria-label=\"{label}\"]"
        );
        let found = self.driver.find(By::XPath(path)).await;
        match found {
            Ok(found) => found,
            Err(_) => panic!("nothing to press is called {label}: {}", self.text().await),
        }
    }

    pub(crate) async fn press(&self, label: &str) {
        self.control(label).await.click().await.unwrap();
    }

    pub(crate) async fn type_in(&self, text: &str) {
        self.driver.action_chain().send_keys(text).perform().await.unwrap();
    }

    pub(crate) async fn key(&self, key: Key) {
        self.driver.action_chain().send_keys(key).perform().await.unwrap();
    }

    /// Sends the form that the keyboard is in, and waits for the page that is the answer.
    pub(crate) async fn enter(&self) {
        self.mark().await;
        self.key(Key::Enter).await;
        let give_up = Instant::now() + PATIENCE;
        let is_new = "return window.isMarked !== true && document.readyState === 'complete'";
        // Between the two there may be no page to ask.
        while !self.driver.execute(is_new, Vec::new()).await.is_ok_and(|it| *it.json() == true) {
            assert!(Instant::now() < give_up, "no page comes");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What the keyboard is on: its label, whether that can be seen, and where it is.
    pub(crate) async fn focused(&self) -> Focus {
        let script = "
            const on = document.activeElement, style = getComputedStyle(on), box = on.getBoundingClientRect();
            return [on.ariaLabel ?? on.innerText.trim(), on.tagName.toLowerCase(),
                style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
                box.width > 0 && box.top >= 0 && box.bottom <= innerHeight];";
        let told = self.run(script).await;
        let text = |at: usize| told[at].as_str().unwrap_or_default().to_owned();
        Focus {
            label: text(0),
            tag: text(1),
            is_outlined: told[2] == true,
            is_shown: told[3] == true,
        }
    }

    /// Moves on with the Tab key until the keyboard is there. Whatever it comes by can be seen.
    pub(crate) async fn tab_to(&self, label: &str) {
        let mut passed = Vec::new();
        while passed.len() < 60 {
            self.key(Key::Tab).await;
            let on = self.focused().await;
            if on.tag != "body" {
                assert!(
                    on.is_outlined && on.is_shown,
                    "nobody sees that the keyboard is on {on:?}"
                );
            }
            if on.label == label {
                return;
            }
            passed.push(on.label);
        }
        panic!("the keyboard does not come to {label}: {passed:?}");
    }

    pub(crate) async fn sign_in(&self) {
        self.type_in(SECRET).await;
        self.press("Sign in").await;
        self.sees("Sign out").await;
    }

    pub(crate) async fn run(&self, script: &str) -> Value {
        self.driver.execute(script, Vec::new()).await.unwrap().json().clone()
    }

    /// A mark that is gone once another page is loaded.
    pub(crate) async fn mark(&self) {
        self.run("window.isMarked = true").await;
    }

    pub(crate) async fn is_marked(&self) -> bool {
        self.run("return window.isMarked === true").await == true
    }

    /// What a page must be at every state, on a computer and on a phone, by day and by night: nothing sticks out,
    /// and axe-core finds nothing.
    pub(crate) async fn is_fit_for_everybody(&self, state: &str) {
        for (name, shape, is_phone) in [("phone", NARROW, true), ("computer", WIDE, false)] {
            for scheme in ["dark", "light"] {
                self.shape(shape, is_phone).await;
                self.colours(scheme).await;
                let wide = self.run("return document.documentElement.scrollWidth").await;
                assert!(
                    wide.as_u64() <= Some(shape.0.into()),
                    "{state}: {wide} pixels on a {name}"
                );
                let found = axe::findings(&self.run(&axe::script()).await);
                self.keep(&format!("{state} {name} {scheme}")).await;
                assert!(found.is_empty(), "{state}, {name}, {scheme}:\n{}", found.join("\n"));
            }
        }
    }

    /// A picture of this size of what is seen, for the README.
    pub(crate) async fn picture(&self, name: &str, size: (u32, u32)) {
        self.shape(size, false).await;
        let Some(folder) = std::env::var_os("README_PICTURES") else { return };
        // Tests run in the folder of their crate.
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let file = root.join(folder).join(format!("{name}.png"));
        self.driver.screenshot(&file).await.unwrap();
    }

    /// Where `BROWSER_PICTURES` names a folder, a picture for people to look at.
    async fn keep(&self, name: &str) {
        let Some(folder) = std::env::var_os("BROWSER_PICTURES") else { return };
        let file = std::path::Path::new(&folder).join(format!("{}.png", name.replace(' ', "-")));
        let size = self.run("return [innerWidth, document.documentElement.scrollHeight]").await;
        let side = |at: usize| u32::try_from(size[at].as_u64().unwrap()).unwrap();
        self.shape((side(0), side(1)), false).await;
        self.driver.screenshot(&file).await.unwrap();
    }

    /// What was downloaded under that name, once it is there.
    pub(crate) async fn downloaded(&self, name: &str) -> String {
        let file = self.downloads.path().join(name);
        crate::clinic::until(&format!("{name} is downloaded"), || file.exists()).await;
        std::fs::read_to_string(file).unwrap()
    }

    /// Closes the window, in which nothing went wrong.
    pub(crate) async fn close(self) {
        let trouble = self.trouble().await;
        assert!(trouble.is_empty(), "{trouble:#?}");
        self.driver.clone().quit().await.unwrap();
    }

    /// What went wrong since it was asked for last: errors and warnings on the console, what the page's policy
    /// forbade, and calls to anybody but the service.
    pub(crate) async fn trouble(&self) -> Vec<String> {
        let console = self.driver.get_log("browser").await.unwrap().into_iter();
        let is_bad = |level: &str| matches!(level, "SEVERE" | "WARNING");
        let mut trouble: Vec<String> =
            console.filter(|entry| is_bad(&entry.level)).map(|entry| entry.message).collect();
        for entry in self.driver.get_log("performance").await.unwrap() {
            let event: Value = serde_json::from_str(&entry.message).unwrap();
            let event = &event["message"];
            if event["method"] != "Network.requestWillBeSent" {
                continue;
            }
            let url = event["params"]["request"]["url"].as_str().unwrap();
            if !url.starts_with(&format!("{}/", self.origin)) && url != "data:," {
                trouble.push(format!("a call to {url}"));
            }
        }
        trouble
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // Closed with the driver: a test that failed has nobody who could wait for it.
            std::mem::forget(self.driver.clone());
        }
    }
}

/// What the keyboard is on.
#[derive(Debug)]
pub(crate) struct Focus {
    pub(crate) label: String,
    pub(crate) tag: String,
    is_outlined: bool,
    is_shown: bool,
}
