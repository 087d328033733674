//! The tools' schemas: equal to the pages that define the first two tools, and of the same form as
//! the WIT functions that the tools call.

use std::{collections::BTreeMap, path::Path};

use keycell::tools::{GROUP, TOOLS, Tool};
use serde_json::Value;
use wit_parser::{Function, Resolve, Type, TypeDefKind};

/// The pages that define the first two tools.
const PAGES: [&str; 2] =
    [include_str!("../../../tests/seeds/create_api_key.txt"), include_str!("../../../tests/seeds/get_api_key.txt")];

#[test]
fn the_first_two_tools_are_those_of_the_pages() {
    for (tool, page) in TOOLS.iter().zip(PAGES) {
        assert!(page.contains(&format!("\n{}\n", tool.description)), "{}", tool.name);
        assert!(page.contains(&format!("\nName{}\n", tool.name)), "{}", tool.name);
        assert!(page.contains(&format!("\nGroup{GROUP}\n")));
        let schemas: Vec<Value> = page
            .match_indices("\n{\n")
            .map(|(at, _)| serde_json::Deserializer::from_str(&page[at..]).into_iter().next().unwrap().unwrap())
            .collect();
        assert_eq!(schemas, [tool.input_schema, tool.output_schema].map(parse), "{}", tool.name);
    }
}

#[test]
fn each_tool_has_the_arguments_and_the_result_of_its_wit_function() {
    let wit = Wit::read();
    for tool in TOOLS {
        assert_eq!(form(&parse(tool.input_schema)), wit.input(tool), "arguments of {}", tool.name);
        // A verification is a variant in WIT, and one flat object in JSON.
        if tool.name != "verify_api_key" {
            assert_eq!(form(&parse(tool.output_schema)), wit.output(tool), "result of {}", tool.name);
        }
    }
}

fn parse(schema: &str) -> Value {
    serde_json::from_str(schema).unwrap()
}

/// The form of a JSON value, without descriptions and bounds.
#[derive(Debug, PartialEq, Eq)]
enum Form {
    /// The name of a JSON type.
    Simple(String),
    Array(Box<Form>),
    /// The fields, with a mark for those that may be left out.
    Object(BTreeMap<String, (Form, bool)>),
    Nullable(Box<Form>),
}

fn simple(name: &str) -> Form {
    Form::Simple(name.to_owned())
}

fn form(schema: &Value) -> Form {
    let (name, is_nullable) = match &schema["type"] {
        Value::Array(types) => {
            let name = types.iter().find(|name| *name != "null").unwrap();
            (name.as_str().unwrap(), types.iter().any(|name| name == "null"))
        }
        name => (name.as_str().unwrap(), false),
    };
    let form = match name {
        "array" => Form::Array(Box::new(form(&schema["items"]))),
        "object" if schema["properties"].is_object() => {
            let required: Vec<_> = schema["required"].as_array().into_iter().flatten().collect();
            let properties = schema["properties"].as_object().unwrap();
            let fields = properties.iter().map(|(name, schema)| {
                (name.clone(), (self::form(schema), !required.iter().any(|required| *required == name)))
            });
            Form::Object(fields.collect())
        }
        name => simple(name),
    };
    if is_nullable { Form::Nullable(Box::new(form)) } else { form }
}

/// The interface `api-keys`.
struct Wit {
    resolve: Resolve,
    functions: BTreeMap<String, Function>,
}

/// An argument may be left out; a field of a result is null instead.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Input,
    Output,
}

impl Wit {
    fn read() -> Self {
        let mut resolve = Resolve::default();
        let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wit");
        let (package, _) = resolve.push_dir(wit).unwrap();
        let interface = resolve.packages[package].interfaces["api-keys"];
        let functions = resolve.interfaces[interface].functions.clone().into_iter().collect();
        Self { resolve, functions }
    }

    fn function(&self, tool: &Tool) -> &Function {
        let name =
            if tool.name == "list_api_key_events" { "list-events".to_owned() } else { tool.name.replace('_', "-") };
        &self.functions[&name]
    }

    /// The arguments. Those that are one record in WIT are flat in JSON.
    fn input(&self, tool: &Tool) -> Form {
        let mut fields = BTreeMap::new();
        for param in &self.function(tool).params {
            match self.record(&param.ty) {
                Some(record) => {
                    fields.extend(record.iter().map(|field| self.field(&field.name, &field.ty, Use::Input)))
                }
                None => fields.extend([self.field(&param.name, &param.ty, Use::Input)]),
            }
        }
        if tool.name == "update_api_key" {
            // The text `null` removes the metadata.
            fields.insert("metadata".to_owned(), (Form::Nullable(Box::new(simple("object"))), true));
        }
        Form::Object(fields)
    }

    /// The result. The `details` of an issued key are flat in JSON.
    fn output(&self, tool: &Tool) -> Form {
        let Some(Type::Id(result)) = self.function(tool).result else { panic!("no result") };
        let TypeDefKind::Result(result) = &self.resolve.types[result].kind else { panic!("no result") };
        let Form::Object(mut fields) = self.form("", &result.ok.unwrap(), Use::Output) else { panic!("no record") };
        if let Some((Form::Object(details), _)) = fields.remove("details") {
            fields.extend(details);
        }
        Form::Object(fields)
    }

    fn record(&self, ty: &Type) -> Option<&[wit_parser::Field]> {
        let Type::Id(id) = ty else { return None };
        match &self.resolve.types[*id].kind {
            TypeDefKind::Record(record) => Some(&record.fields),
            TypeDefKind::Type(aliased) => self.record(aliased),
            _ => None,
        }
    }

    /// The name, the form, and whether the field may be left out.
    fn field(&self, name: &str, ty: &Type, usage: Use) -> (String, (Form, bool)) {
        let kind = if let Type::Id(id) = ty { Some(&self.resolve.types[*id].kind) } else { None };
        let field = match (kind, usage) {
            (Some(TypeDefKind::Option(inner)), Use::Input) => (self.form(name, inner, usage), true),
            (Some(TypeDefKind::Option(inner)), Use::Output) => {
                (Form::Nullable(Box::new(self.form(name, inner, usage))), false)
            }
            // A change is left out to keep, null to remove, or a value to set.
            (Some(TypeDefKind::Variant(change)), Use::Input) => {
                let set = change.cases.iter().find(|case| case.name == "set").unwrap();
                (Form::Nullable(Box::new(self.form(name, &set.ty.unwrap(), usage))), true)
            }
            // A list that is left out is empty.
            (Some(TypeDefKind::List(_)), Use::Input) => (self.form(name, ty, usage), true),
            _ => (self.form(name, ty, usage), false),
        };
        (name.replace('-', "_"), field)
    }

    fn form(&self, name: &str, ty: &Type, usage: Use) -> Form {
        match ty {
            // JSON text in WIT.
            Type::String if name == "metadata" => simple("object"),
            Type::String => simple("string"),
            Type::U32 => simple("integer"),
            Type::Id(id) => match &self.resolve.types[*id].kind {
                TypeDefKind::List(item) => Form::Array(Box::new(self.form("", item, usage))),
                TypeDefKind::Enum(_) => simple("string"),
                TypeDefKind::Type(aliased) => self.form(name, aliased, usage),
                TypeDefKind::Record(record) => {
                    Form::Object(record.fields.iter().map(|field| self.field(&field.name, &field.ty, usage)).collect())
                }
                other => panic!("{name} has an unexpected type: {other:?}"),
            },
            other => panic!("{name} has an unexpected type: {other:?}"),
        }
    }
}
