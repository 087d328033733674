//! The tools' schemas: equal to the pages that define the first two tools, and of the same form as
//! the WIT functions that the tools call.

use std::{collections::BTreeMap, path::Path};

use keycell::tools::{GROUP, TOOLS, Tool};
use serde_json::Value;
use wit_parser::{Case, Function, Resolve, Type, TypeDefKind};

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
        let output = if tool.name == "verify_api_key" { wit.verification(tool) } else { wit.output(tool) };
        assert_eq!(form(&parse(tool.output_schema)), output, "result of {}", tool.name);
    }
}

#[test]
fn the_reasons_of_a_refusal_are_those_of_wit() {
    let wit = Wit::read();
    let tool = TOOLS.iter().find(|tool| tool.name == "verify_api_key").unwrap();
    let reasons = wit.refusals(tool).iter().map(|case| Value::from(case.name.as_str()));
    let expected: Vec<_> = reasons.chain([Value::Null]).collect();
    assert_eq!(parse(tool.output_schema)["properties"]["reason"]["enum"], Value::from(expected));
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

/// Puts the fields of a record in place of the field that has it.
fn flatten(form: &mut Form, name: &str) {
    let Form::Object(fields) = form else { panic!("no record") };
    if let Some((Form::Object(inner), _)) = fields.remove(name) {
        fields.extend(inner);
    }
}

/// The form of a field that has no value in some results. A list is then empty.
fn optional(form: Form) -> Form {
    match form {
        Form::Array(_) | Form::Nullable(_) => form,
        form => Form::Nullable(Box::new(form)),
    }
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

    /// The type of the result of a call that succeeds.
    fn ok(&self, tool: &Tool) -> Type {
        let Some(Type::Id(result)) = self.function(tool).result else { panic!("no result") };
        let TypeDefKind::Result(result) = &self.resolve.types[result].kind else { panic!("no result") };
        result.ok.unwrap()
    }

    /// The result of a verification, which is a variant in WIT and one flat object in JSON.
    fn verification(&self, tool: &Tool) -> Form {
        let valid = self.form("", payload(self.cases(&self.ok(tool)), "valid"), Use::Output);
        let Form::Object(mut valid) = valid else { panic!("no record") };
        let Some((Form::Nullable(state), _)) = valid.get_mut("rate_limit") else { panic!("no state of a limit") };
        flatten(state, "limit");
        let refusals = self.refusals(tool);
        let missing_scopes = self.form("", payload(refusals, "missing-scopes"), Use::Output);
        let rate_limited = self.record(payload(refusals, "rate-limited")).unwrap();
        let retry_after = rate_limited.iter().find(|field| field.name == "retry-after-ms").unwrap();
        let refused = [
            ("reason", simple("string")),
            ("missing_scopes", missing_scopes),
            ("retry_after_ms", self.form("", &retry_after.ty, Use::Output)),
        ];
        let refused = refused.map(|(name, form)| (name.to_owned(), form));
        let fields = valid.into_iter().map(|(name, (form, _))| (name, form)).chain(refused);
        let fields = fields.map(|(name, form)| (name, (optional(form), false)));
        Form::Object(fields.chain([("valid".to_owned(), (simple("boolean"), false))]).collect())
    }

    /// The reasons why a verification refuses a key.
    fn refusals(&self, tool: &Tool) -> &[Case] {
        self.cases(payload(self.cases(&self.ok(tool)), "refused"))
    }

    fn cases(&self, ty: &Type) -> &[Case] {
        let Type::Id(id) = ty else { panic!("no variant") };
        match &self.resolve.types[*id].kind {
            TypeDefKind::Variant(variant) => &variant.cases,
            TypeDefKind::Type(aliased) => self.cases(aliased),
            other => panic!("no variant: {other:?}"),
        }
    }

    /// The result. The `details` of an issued key are flat in JSON.
    fn output(&self, tool: &Tool) -> Form {
        let mut form = self.form("", &self.ok(tool), Use::Output);
        flatten(&mut form, "details");
        form
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

/// The type of the value that a case of a variant has.
fn payload<'a>(cases: &'a [Case], name: &str) -> &'a Type {
    cases.iter().find(|case| case.name == name).and_then(|case| case.ty.as_ref()).unwrap()
}
