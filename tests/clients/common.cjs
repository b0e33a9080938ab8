// What the scripts of Node share: arguments, an assertion that is printed, waiting for an event.
"use strict";

const fs = require("node:fs");

exports.PASSWORD = "mailwright";
exports.ALICE = "alice@example.test";
exports.BOB = "bob@example.test";

/** `--name value` pairs as the harness passes them; what has no name is in `rest`. */
exports.arguments = () => {
    const found = { rest: [] };
    const words = process.argv.slice(2);
    while (words.length) {
        const word = words.shift();
        if (word.startsWith("--")) {
            found[word.slice(2)] = words.shift();
        } else {
            found.rest.push(word);
        }
    }
    return found;
};

/** Options of TLS that trust the server's certificate and nothing else. */
exports.tls = (args) => ({ ca: fs.readFileSync(args.ca), servername: "localhost" });

/** An assertion that is printed when it holds, so that a failure shows how far the script came. */
exports.check = (condition, what) => {
    if (!condition) {
        throw new Error(`not so: ${what}`);
    }
    console.log("ok:", what);
};

/** Two values that must be the same as JSON. */
exports.same = (found, wanted, what) => {
    const [left, right] = [JSON.stringify(found), JSON.stringify(wanted)];
    exports.check(left === right, left === right ? what : `${what}: ${left} is not ${right}`);
};

/** The next `name` of an emitter, or an error after a minute. */
exports.next = (emitter, name) =>
    new Promise((resolve, reject) => {
        const late = setTimeout(() => reject(new Error(`waited a minute for ${name}`)), 60_000);
        emitter.once(name, (value) => {
            clearTimeout(late);
            resolve(value);
        });
    });

/** Runs `main` and ends the process by its outcome. */
exports.run = (main) => {
    main().then(
        () => process.exit(0),
        (error) => {
            console.error(error);
            process.exit(1);
        },
    );
};
