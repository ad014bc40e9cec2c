// Tells which letter or digit a picture shows; without a picture, what mixed precision changed.
using System.Globalization;
using Characters;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
string folder = AppContext.BaseDirectory;
var labels = Labels.Read(Path.Combine(folder, "pictures", "labels.json"));
using var mixed = new Classifier(Path.Combine(folder, "model.mixed.onnx"), labels.Classes);

if (args.Length == 0)
{
    using var original = new Classifier(Path.Combine(folder, "model.onnx"), labels.Classes);
    (float[] Pixels, string Class)[] pictures = [.. labels.Of("evaluation").Select(p => (Picture.Read(Path.Combine(folder, "pictures", p.File)), p.Class))];
    Console.Write(Comparison.Of(original, mixed, pictures));
    return 0;
}

foreach (string file in args)
{
    if (!File.Exists(file))
    {
        Console.Error.WriteLine($"There is no file '{file}'. Usage: Characters [PICTURE…], such as Characters pictures/evaluation/000.png");
        return 1;
    }
    (string name, double share) = mixed.Classify(Picture.Read(file));
    Console.WriteLine($"{name}  {share,7:P1}  {file}");
}
return 0;
