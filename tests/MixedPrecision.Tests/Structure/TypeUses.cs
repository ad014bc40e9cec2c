using Mono.Cecil;
using Mono.Cecil.Cil;

namespace MixedPrecision.Tests.Structure;

/// <summary>Which types of an assembly use which others of it: bases, attributes, members, signatures and bodies of methods.</summary>
internal static class TypeUses
{
    private const string Root = "MixedPrecision";

    /// <summary>Pairs of full names; nested types count as the type they lie in.</summary>
    public static IReadOnlySet<(string User, string Used)> Of(string assemblyFile)
    {
        using AssemblyDefinition assembly = AssemblyDefinition.ReadAssembly(assemblyFile);
        var uses = new HashSet<(string, string)>();
        foreach (TypeDefinition type in assembly.MainModule.GetTypes().Where(t => IsOurs(Outermost(t))))
        {
            foreach (TypeReference used in Everything(type).SelectMany(Parts).Where(t => t.Scope == type.Module && IsOurs(Outermost(t).Resolve())))
            {
                uses.Add((Outermost(type).FullName, Outermost(used).FullName));
            }
        }

        return uses;
    }

    /// <summary>Uses of a later folder, and folders that the order does not know; each as a sentence.</summary>
    /// <param name="order">Namespaces below the root's, each of which may use itself and those before it; two joined by " + " may use each other.</param>
    public static IReadOnlyList<string> Violations(IEnumerable<(string User, string Used)> uses, IReadOnlyList<string> order)
    {
        var violations = new SortedSet<string>(StringComparer.Ordinal);
        foreach ((string user, string used) in uses)
        {
            int from = Place(user), to = Place(used);
            if (from >= 0 && to > from)
            {
                violations.Add($"{user} uses {used}");
            }
        }

        return [.. violations];

        int Place(string type)
        {
            string folder = type[..type.LastIndexOf('.')];
            int place = folder.StartsWith(Root + ".", StringComparison.Ordinal) ? order.ToList().FindIndex(o => o.Split(" + ").Contains(folder[(Root.Length + 1)..])) : -1;
            if (place < 0)
            {
                violations.Add($"{folder} is no folder of the engine's order");
            }

            return place;
        }
    }

    private static IEnumerable<TypeReference> Everything(TypeDefinition type)
    {
        // A type without uses still stands for its folder.
        yield return type;
        foreach (TypeReference used in new[] { type.BaseType }
            .Concat(type.Interfaces.Select(i => i.InterfaceType))
            .Concat(type.CustomAttributes.Select(a => a.AttributeType))
            .Concat(type.GenericParameters.SelectMany(g => g.Constraints).Select(c => c.ConstraintType))
            .Concat(type.Fields.Select(f => f.FieldType))
            .Concat(type.Properties.Select(p => p.PropertyType))
            .Concat(type.Events.Select(e => e.EventType))
            .Concat(type.Methods.SelectMany(Everything))
            .OfType<TypeReference>())
        {
            yield return used;
        }
    }

    private static IEnumerable<TypeReference> Everything(MethodDefinition method)
    {
        IEnumerable<TypeReference> used = method.Parameters.Select(p => p.ParameterType).Append(method.ReturnType)
            .Concat(method.CustomAttributes.Select(a => a.AttributeType))
            .Concat(method.GenericParameters.SelectMany(g => g.Constraints).Select(c => c.ConstraintType));
        return !method.HasBody ? used : used
            .Concat(method.Body.Variables.Select(v => v.VariableType))
            .Concat(method.Body.ExceptionHandlers.Select(h => h.CatchType).OfType<TypeReference>())
            .Concat(method.Body.Instructions.SelectMany(Operand));
    }

    private static IEnumerable<TypeReference> Operand(Instruction instruction) => instruction.Operand switch
    {
        TypeReference type => [type],
        FieldReference field => [field.DeclaringType, field.FieldType],
        GenericInstanceMethod generic => generic.GenericArguments.Concat([generic.DeclaringType, generic.ReturnType]),
        MethodReference method => [method.DeclaringType, method.ReturnType, .. method.Parameters.Select(p => p.ParameterType)],
        _ => [],
    };

    /// <summary>A type and the types it is made of: elements of arrays, arguments of generics, signatures of function pointers.</summary>
    private static IEnumerable<TypeReference> Parts(TypeReference type) => type switch
    {
        GenericParameter => [],
        GenericInstanceType generic => generic.GenericArguments.SelectMany(Parts).Concat(Parts(generic.ElementType)),
        FunctionPointerType pointer => pointer.Parameters.Select(p => p.ParameterType).Append(pointer.ReturnType).SelectMany(Parts),
        TypeSpecification specification => Parts(specification.ElementType),
        _ => [type],
    };

    private static TypeReference Outermost(TypeReference type) => type.DeclaringType is null ? type : Outermost(type.DeclaringType);

    private static TypeDefinition Outermost(TypeDefinition type) => type.DeclaringType is null ? type : Outermost(type.DeclaringType);

    /// <summary>Not what the compiler adds by itself.</summary>
    private static bool IsOurs(TypeDefinition type) => !type.CustomAttributes.Any(a => a.AttributeType.Name == "CompilerGeneratedAttribute") && !type.Name.StartsWith('<');
}
