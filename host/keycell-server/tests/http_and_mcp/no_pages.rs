//! A server that is built without the pages for people.

use crate::support::TestServer;

#[test]
fn a_server_without_the_feature_has_no_pages() {
    let server = TestServer::start();
    for path in ["/console", "/tools", "/tools/create_api_key", "/pages/app.js", "/console/sign-in"] {
        server.get(path).assert_is_problem(404);
    }
}
