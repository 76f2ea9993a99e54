"""A real browser: Debian's chromium, driven by Selenium."""

import base64
import os
import shutil
from contextlib import contextmanager

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

DESKTOP, PHONE = (1280, 900), (390, 844)


@contextmanager
def chromium():
    """A browser without a window; its console and its requests are logged."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("needs the programs chromium and chromedriver")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("--headless=new", "--hide-scrollbars"):
        options.add_argument(argument)
    if os.geteuid() == 0:  # chromium's own sandbox does not work for root
        options.add_argument("--no-sandbox")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        yield opened
    finally:
        opened.quit()


def emulate(browser, size=DESKTOP, media="", **features):
    """A screen of a size, and a person's preferences, such as `prefers_color_scheme`."""
    shape = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", shape)
    named = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": named})


def find(browser, selector):
    return browser.find_element(By.CSS_SELECTOR, selector)


def click(browser, selector):
    """Click in the middle of the screen, where nothing sticky covers it."""
    element = find(browser, selector)
    script = "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})"
    browser.execute_script(script, element)
    element.click()


def screenshot(browser, file):
    """Write the whole page as PNG."""
    size = browser.execute_cdp_cmd("Page.getLayoutMetrics", {})["cssContentSize"]
    clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
    shot = {"captureBeyondViewport": True, "clip": clip}
    picture = browser.execute_cdp_cmd("Page.captureScreenshot", shot)["data"]
    file.write_bytes(base64.b64decode(picture))
