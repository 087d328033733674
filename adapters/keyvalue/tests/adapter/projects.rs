//! Projects, as the owner of the bucket writes them.

use keycell_keyvalue::{
    projects::{find_project, role},
    storage::{Error, ProjectReference, ProjectRole, Role},
};

use crate::bucket::Memory;

#[test]
fn a_project_is_found_with_the_role_of_the_user() {
    let bucket = Memory::with(&[
        ("project.id-1", "ann\nbob smith\neve\n"),
        ("admins.id-1", "eve\nmallory\n"),
        ("slug.web", "id-1\n"),
        ("slug.gone", "id-2"),
    ]);
    let users = [
        ("ann", Some(Role::Member)),
        ("bob smith", Some(Role::Member)),
        ("eve", Some(Role::Admin)),
        // An admin must be a member.
        ("mallory", None),
        ("bob", None),
        ("", None),
        ("ann\nbob smith", None),
    ];
    for (user, expected) in users {
        for reference in [ProjectReference::Id("id-1".to_owned()), ProjectReference::Slug("web".to_owned())] {
            let found = Ok(ProjectRole { project_id: "id-1".to_owned(), role: expected });
            assert_eq!(find_project(&bucket, &reference, user), found, "{user:?}");
        }
        assert_eq!(role(&bucket, "id-1", user), Ok(expected));
    }
    for slug in ["gone", "none"] {
        let reference = ProjectReference::Slug(slug.to_owned());
        assert_eq!(find_project(&bucket, &reference, "ann"), Err(Error::NotFound));
    }
    assert_eq!(role(&bucket, "id-2", "ann"), Ok(None));
}
