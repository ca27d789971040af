-- Browsers in which somebody signed in once. While strangers try passwords for an account's name,
-- such a browser is not asked to prove anything first. It opens nothing by itself.
CREATE TABLE known_browsers (
    account INTEGER NOT NULL REFERENCES accounts (id),
    -- Fingerprint of the browser's long-lived cookie; people may share a browser.
    browser BLOB    NOT NULL CHECK (length(browser) = 32),
    -- The last sign-in.
    seen    INTEGER NOT NULL,
    PRIMARY KEY (account, browser)
) STRICT, WITHOUT ROWID;
CREATE INDEX known_browsers_by_browser ON known_browsers (browser);
CREATE INDEX known_browsers_by_age     ON known_browsers (seen);
