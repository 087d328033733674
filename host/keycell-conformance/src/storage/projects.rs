//! Projects and their members.

use keycell::{AnyStorage, Member, ProjectReference, ProjectStorage, ProjectWithRole, Role, Storage};
use uuid::Uuid;

use super::samples::{assert_conflict, by_slug, id, insert, insert_project, key, parse_slug, with};

pub async fn a_project_is_found_with_the_role_of_the_user(storage: AnyStorage) {
    let id = insert_project(&storage, 7, "web", &[("ann", Role::Member), ("pia", Role::Admin)]).await;
    let other = insert_project(&storage, 8, "other", &[("eve", Role::Admin)]).await;
    for reference in [ProjectReference::Id(id.clone()), by_slug("web")] {
        for (user, role) in [("ann", Some(Role::Member)), ("pia", Some(Role::Admin)), ("eve", None), ("Ann", None)] {
            let found = storage.find_project(&reference, user).await.unwrap();
            assert_eq!(found, Some(ProjectWithRole::new(id.as_str(), role)), "{reference:?} {user}");
        }
    }
    for missing in [ProjectReference::Id("web".to_owned()), by_slug(&other), by_slug("we")] {
        assert_eq!(storage.find_project(&missing, "ann").await.unwrap(), None, "{missing:?}");
    }
}

pub async fn a_taken_slug_or_id_is_a_conflict_and_adds_no_member(storage: AnyStorage) {
    insert_project(&storage, 7, "web", &[("ann", Role::Member)]).await;
    for (n, slug) in [(8, "web"), (7, "other")] {
        let members = vec![Member::new("eve", Role::Admin), Member::new("ann", Role::Admin)];
        assert_conflict(storage.insert_project(Uuid::from_u128(n), parse_slug(slug), members).await);
    }
    assert_eq!(storage.list_projects(Some("eve")).await.unwrap(), []);
    assert_eq!(storage.list_projects(None).await.unwrap().len(), 1);
    let members = storage.list_members(&by_slug("web")).await.unwrap();
    assert_eq!(members, Some(vec![Member::new("ann", Role::Member)]));
}

pub async fn projects_are_listed_by_slug(storage: AnyStorage) {
    assert_eq!(storage.list_projects(None).await.unwrap(), []);
    insert_project(&storage, 1, "web", &[("ann", Role::Member), ("bob", Role::Admin)]).await;
    insert_project(&storage, 3, "api", &[("ann", Role::Admin)]).await;
    insert_project(&storage, 2, "docs", &[]).await;
    for (user, expected) in [
        (Some("ann"), vec!["api", "web"]),
        (Some("bob"), vec!["web"]),
        (Some("eve"), vec![]),
        (None, vec!["api", "docs", "web"]),
    ] {
        let projects = storage.list_projects(user).await.unwrap();
        let slugs: Vec<_> = projects.iter().map(|project| project.slug.as_str()).collect();
        assert_eq!(slugs, expected, "{user:?}");
        for project in projects {
            let found = storage.find_project(&by_slug(&project.slug), "ann").await.unwrap();
            assert_eq!(found.expect("a listed project must be found").project_id, project.id);
        }
    }
}

pub async fn a_member_is_added_changed_and_removed(storage: AnyStorage) {
    let project = insert_project(&storage, 7, "web", &[("ann", Role::Member)]).await;
    insert_project(&storage, 8, "other", &[("ann", Role::Admin)]).await;
    insert(&storage, 1, &with(key(1), |key| key.project_id = Some(project.clone()))).await;
    let role = async |user: &str| {
        let by_project = storage.find_project(&by_slug("web"), user).await.unwrap().unwrap().role;
        let by_key = storage.find_key(&id(1), user).await.unwrap().unwrap().role;
        assert_eq!(by_project, by_key, "{user}");
        by_key
    };
    for reference in [ProjectReference::Id(project.clone()), by_slug("web")] {
        assert_eq!(role("zoe").await, None);
        for new in [Role::Member, Role::Admin, Role::Admin, Role::Member] {
            assert!(storage.put_member(&reference, Member::new("zoe", new)).await.unwrap());
            assert_eq!(role("zoe").await, Some(new));
            let members = vec![Member::new("ann", Role::Member), Member::new("zoe", new)];
            assert_eq!(storage.list_members(&reference).await.unwrap(), Some(members));
        }
        assert!(storage.remove_member(&reference, "zoe").await.unwrap());
        assert!(!storage.remove_member(&reference, "zoe").await.unwrap());
        assert_eq!(storage.list_projects(Some("zoe")).await.unwrap(), []);
    }
    assert_eq!(role("ann").await, Some(Role::Member));
    assert!(storage.remove_member(&by_slug("web"), "ann").await.unwrap());
    assert_eq!(storage.list_members(&by_slug("web")).await.unwrap(), Some(vec![]));
    let others = storage.list_members(&by_slug("other")).await.unwrap();
    assert_eq!(others, Some(vec![Member::new("ann", Role::Admin)]));
    // Keys stay when their owners leave.
    assert_eq!(storage.find_key(&id(1), "ann").await.unwrap().unwrap().key.project_id, Some(project));
}

pub async fn a_missing_project_has_no_members(storage: AnyStorage) {
    insert_project(&storage, 7, "web", &[]).await;
    for missing in [ProjectReference::Id(Uuid::from_u128(8).to_string()), by_slug("other")] {
        assert!(!storage.put_member(&missing, Member::new("ann", Role::Admin)).await.unwrap());
        assert!(!storage.remove_member(&missing, "ann").await.unwrap());
        assert_eq!(storage.list_members(&missing).await.unwrap(), None);
    }
    assert_eq!(storage.list_projects(Some("ann")).await.unwrap(), []);
}

pub async fn an_open_storage_is_ready(storage: AnyStorage) {
    storage.check_ready().await.unwrap();
    insert(&storage, 1, &key(1)).await;
    storage.check_ready().await.unwrap();
}
