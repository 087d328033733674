//! Projects, as somebody has written them.

use keycell_keyvalue::{
    projects::find_project,
    storage::{Error, ProjectReference},
};

use crate::bucket::Memory;

#[test]
fn a_project_is_found_by_its_members_alone() {
    let bucket = Memory::with(&[("project.id-1", "ann\nbob smith\n"), ("slug.web", "id-1\n"), ("slug.gone", "id-2")]);
    let references = [ProjectReference::Id("id-1".to_owned()), ProjectReference::Slug("web".to_owned())];
    for reference in references {
        for member in ["ann", "bob smith"] {
            assert_eq!(find_project(&bucket, &reference, member), Ok("id-1".to_owned()));
        }
        for stranger in ["bob", "", "ann\nbob smith"] {
            assert_eq!(find_project(&bucket, &reference, stranger), Err(Error::NotFound), "{stranger:?}");
        }
    }
    for slug in ["gone", "none"] {
        let reference = ProjectReference::Slug(slug.to_owned());
        assert_eq!(find_project(&bucket, &reference, "ann"), Err(Error::NotFound));
    }
}
